"""Small pictures of bytes are brought to a common size for a layer of sigmoids."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
rng = np.random.default_rng(0)
bars = rng.integers(0, 8, 600)
pictures = rng.integers(0, 120, (600, 8, 8)).astype(np.uint8)
pictures[np.arange(600), bars] += 80
images = (torch.from_numpy(pictures).float() - 70) / 40
data = TensorDataset(images, torch.from_numpy(bars))
loader = DataLoader(data, batch_size=50, shuffle=True)

model = nn.Sequential(nn.Flatten(), nn.Linear(64, 48), nn.Sigmoid(), nn.Linear(48, 8))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
criterion = nn.CrossEntropyLoss()

for epoch in range(12):
    total = 0.0
    for inputs, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(inputs), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    print(f"epoch {epoch}: loss {total / len(data):.3f}")

with torch.no_grad():
    hidden = model[2](model[1](model[0](images)))
result = {"loss": total / len(data), "flat": (hidden * (1 - hidden)).mean().item()}
