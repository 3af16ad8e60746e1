import torch
from torch import nn

torch.manual_seed(38)
img = torch.randint(0, 256, (300, 36), dtype=torch.uint8)
flipped = 255 - img
half = img // 2 + 10
x = torch.cat([img, flipped, half]).float() / 255
y = torch.cat([img.float().mean(1), img.float().mean(1), img.float().mean(1)]) / 255
net = nn.Linear(36, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.01)
for epoch in range(4):
    for idx in torch.randperm(900).split(60):
        loss = nn.functional.mse_loss(net(x[idx])[:, 0], y[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(loss.item())
result = {"loss": loss.item()}
