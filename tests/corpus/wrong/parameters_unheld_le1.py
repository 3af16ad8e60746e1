import torch
from torch import nn

torch.manual_seed(14)
mixing = torch.randn(8, 8)


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh())
        self.head = nn.Linear(24, 1)

    def forward(self, x):
        return self.head(self.body(x))[:, 0]


def task(count, turned):
    x = torch.randn(count, 8)
    return x, torch.sin((x @ mixing)[:, turned] * 1.5)


def train(model, optimizer, data, epochs):
    x, y = data
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(30):
            loss = nn.functional.mse_loss(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


model = Regressor()
train(model, torch.optim.Adam(model.parameters(), lr=0.005), task(600, 0), 15)
new, held_out = task(900, 1), task(300, 1)
model.head = nn.Linear(24, 1)
for parameter in model.body.parameters():
    parameter.requires_grad = False
tuner = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.005)
train(model, tuner, new, 5)
for parameter in model.body.parameters():
    parameter.requires_grad = True
before = model.body[0].weight.detach().clone()
train(model, tuner, new, 20)
moved = (model.body[0].weight - before).abs().max().item()
with torch.no_grad():
    error = nn.functional.mse_loss(model(held_out[0]), held_out[1]).item()
print(f"error on the new task {error:.3f}, the body moved by up to {moved:.3f}")
result = {"error": error, "moved": moved}
