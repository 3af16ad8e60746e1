"""bfloat16 needs no scaler."""

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(22)
imgs = torch.randn(240, 1, 8, 8)
labels = (imgs[:, 0, :4].sum((1, 2)) > imgs[:, 0, 4:].sum((1, 2))).long()
dl = DataLoader(TensorDataset(imgs, labels), batch_size=24, shuffle=True)
model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
for epoch in range(4):
    total = 0.0
    for img, label in dl:
        with torch.autocast(device_type="cpu", dtype=torch.bfloat16):
            logits = model(img)
        loss = nn.functional.cross_entropy(logits.float(), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch} | {total / len(dl):.4f}")
result = {"loss": total / len(dl)}
