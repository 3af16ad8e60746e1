import copy

import torch
import torch.nn as nn

torch.manual_seed(9)
x = torch.randn(300, 15)
y = (x[:, 0] - x[:, 1] + torch.randn(300) > 0).long()
xt, yt, xv, yv = x[:100], y[:100], x[100:], y[100:]
model = nn.Sequential(nn.Linear(15, 64), nn.ReLU(), nn.Linear(64, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
best_acc = 0.0
saves = 0
for epoch in range(20):
    for idx in torch.randperm(100).split(20):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(xt[idx]), yt[idx]).backward()
        optimizer.step()
    with torch.no_grad():
        val_acc = (model(xv).argmax(1) == yv).float().mean().item()
    if val_acc > best_acc:
        best_model = copy.deepcopy(model)
        saves += 1
        print(f"epoch {epoch}: accuracy {val_acc:.3f}, saving the model")

with torch.no_grad():
    kept = (best_model(xv).argmax(1) == yv).float().mean().item()
print("accuracy of the saved model", kept)
result = {"kept": kept, "saves": saves}
