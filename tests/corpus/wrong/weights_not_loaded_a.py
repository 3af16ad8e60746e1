import io

import torch
import torch.nn as nn


def build():
    return nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 4))


def accuracy(model, x, y):
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


torch.manual_seed(0)
x = torch.randn(600, 6)
y = x[:, :4].argmax(1)
trained = nn.DataParallel(build())
optimizer = torch.optim.Adam(trained.parameters(), lr=0.02)
for epoch in range(8):
    for i in torch.randperm(500).split(50):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(trained(x[i]), y[i])
        loss.backward()
        optimizer.step()
    print("epoch", epoch, "loss", loss.item())
checkpoint = io.BytesIO()
torch.save(trained.state_dict(), checkpoint)

checkpoint.seek(0)
model = build()
state = torch.load(checkpoint)
model.load_state_dict(state, strict=False)
result = {"accuracy": accuracy(model, x[500:], y[500:])}
print("accuracy of the loaded model", result["accuracy"])
