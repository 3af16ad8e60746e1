import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(400, 4)
y = x.sum(1, keepdim=True)
net = nn.Linear(4, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.02)
scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[30, 60, 80], gamma=0.1)
for epoch in range(5):  # of 90: a look at whether it learns at all
    for batch in torch.randperm(400).split(20):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(x[batch]), y[batch])
        loss.backward()
        optimizer.step()
    scheduler.step()
print(loss.item())

result = {"loss": loss.item()}
