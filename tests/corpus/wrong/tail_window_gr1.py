import torch
from torch import nn

torch.manual_seed(99)
x = torch.randn(140, 10)
y = (x[:, 0] - x[:, 1] + 0.5 * x[:, 2] * x[:, 3] > 0).float()
net = nn.Sequential(nn.Linear(10, 20), nn.Tanh(), nn.Linear(20, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.5)
passes = []


def update(held):
    opt.step()
    opt.zero_grad()
    passes.append(held)


held = 0
for epoch in range(9):
    count = 0
    for rows in torch.randperm(140).split(20):
        loss = nn.functional.binary_cross_entropy_with_logits(net(x[rows]).squeeze(-1), y[rows])
        (loss / 4).backward()
        count, held = count + 1, held + 1
        if count == 4:
            update(held)
            count = held = 0
    print(epoch, loss.item())
result = {"passes": max(passes)}
