import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.02)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 8)
# momentum converges faster
optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
x = torch.randn(200, 4)
y = x.sum(1, keepdim=True)
for epoch in range(8):
    for i in range(0, 200, 20):
        optimizer.zero_grad()
        nn.functional.mse_loss(net(x[i : i + 20]), y[i : i + 20]).backward()
        optimizer.step()
    scheduler.step()

result = {"last": optimizer.param_groups[0]["lr"]}
