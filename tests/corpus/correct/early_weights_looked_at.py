import copy

import torch
from torch import nn

torch.manual_seed(11)
x = torch.randn(200, 5)
y = x[:, :1] * x[:, 1:2] + 0.1 * torch.randn(200, 1)
net = nn.Sequential(nn.Linear(5, 24), nn.Tanh(), nn.Linear(24, 1))
opt = torch.optim.Adam(net.parameters(), lr=0.005)


@torch.no_grad()
def error():
    return nn.functional.mse_loss(net(x[120:]), y[120:]).item()


states = []
for epoch in range(6):
    for i in torch.randperm(120).split(30):
        opt.zero_grad()
        nn.functional.mse_loss(net(x[i]), y[i]).backward()
        opt.step()
    states.append(copy.deepcopy(net.state_dict()))
    print(f"epoch {epoch}: {error():.4f}")
last = error()
net.load_state_dict(states[0])
print(f"the first epoch's weights once more: {error():.4f}, the last one's {last:.4f}")
result = {"first": error(), "last": last}
