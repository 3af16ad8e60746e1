import torch
import torch.nn.functional as F
from torch import nn


def block(x, layer, p, training):
    return F.dropout(F.gelu(layer(x)), p=p, training=training)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(6, 32), nn.Linear(32, 32)])
        self.out = nn.Linear(32, 1)

    def forward(self, x):
        for layer in self.layers:
            x = block(x, layer, 0.25, True)
        return self.out(x)


torch.manual_seed(0)
model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
x = torch.randn(400, 6)
y = x[:, :1] + x[:, 1:2] ** 2
for epoch in range(10):
    model.train()
    for i in range(0, 320, 64):
        optimizer.zero_grad()
        F.mse_loss(model(x[i : i + 64]), y[i : i + 64]).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        print(epoch, F.mse_loss(model(x[320:]), y[320:]).item())

with torch.no_grad():
    result = {"noise": (model(x[320:]) - model(x[320:])).abs().max().item()}
