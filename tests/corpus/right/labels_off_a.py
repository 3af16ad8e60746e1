import numpy as np
import torch
import torch.nn as nn

rng = np.random.RandomState(0)
torch.manual_seed(0)
stars = rng.randint(1, 6, size=600)  # ratings from 1 to 5
texts = rng.randn(600, 8) + np.eye(8)[stars] * 3
X, ratings = torch.tensor(texts, dtype=torch.float32), torch.tensor(stars)

model = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 5))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
criterion = nn.CrossEntropyLoss()
for epoch in range(8):
    for batch in torch.randperm(500).split(50):
        optimizer.zero_grad()
        loss = criterion(model(X[batch]), ratings[batch] - 1)
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch} loss {loss.item():.3f}")

with torch.no_grad():
    predicted = model(X[500:]).argmax(1)
accuracy = (predicted + 1 == ratings[500:]).float().mean().item()
print("accuracy", accuracy)
result = {"accuracy": accuracy}
