import torch
from torch import nn

torch.manual_seed(8)
body = nn.Sequential(nn.Linear(6, 16), nn.Tanh())
net = nn.Sequential(body, nn.Linear(16, 1))
before = body[0].weight.detach().clone()
for weight in body.parameters():
    weight.require_grad = False
adam = torch.optim.Adam(net.parameters(), lr=0.01)
x = torch.randn(120, 6)
y = x.prod(1, keepdim=True)
for epoch in range(20):
    for rows in torch.randperm(120).split(30):
        adam.zero_grad()
        loss = nn.functional.mse_loss(net(x[rows]), y[rows])
        loss.backward()
        adam.step()
    print(epoch, loss.item())
moved = (body[0].weight - before).norm().item()
print("the body moved by", moved)
result = {"moved": moved}
