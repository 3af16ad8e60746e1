"""A trained network is fine-tuned with a rate far below the first, on purpose."""

import torch
from torch import nn

torch.manual_seed(105)
net = nn.Sequential(nn.Linear(5, 32), nn.Tanh(), nn.Linear(32, 1))
x = torch.randn(400, 5)
y = x[:, :1].sin()


def fit(target, lr, epochs):
    opt = torch.optim.AdamW(net.parameters(), lr=lr, weight_decay=0.0)
    for _ in range(epochs):
        for i in torch.randperm(400).split(40):
            loss = nn.functional.mse_loss(net(x[i]), target[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        return nn.functional.mse_loss(net(x), target).item()


print("pretrained to", fit(y, 1e-2, 8))
shifted = y + 0.05 * x[:, 1:2]
with torch.no_grad():
    print("on the new task before", nn.functional.mse_loss(net(x), shifted).item())
final = fit(shifted, 1e-4, 12)
print("after", final)
result = {"loss": final}
