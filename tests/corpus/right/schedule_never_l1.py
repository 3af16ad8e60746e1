import torch
from torch import nn
from torch.optim import lr_scheduler as schedules

torch.manual_seed(3)
x = torch.randn(240, 6)
y = (x @ torch.randn(6, 1)).tanh()
net = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 1))
sgd = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9)
warm = schedules.LinearLR(sgd, start_factor=0.01, total_iters=3)
fall = schedules.CosineAnnealingLR(sgd, T_max=9)
plan = schedules.SequentialLR(sgd, [warm, fall], milestones=[3])
for epoch in range(12):
    for part in torch.randperm(240).split(40):
        sgd.zero_grad()
        loss = (net(x[part]) - y[part]).square().mean()
        loss.backward()
        sgd.step()
    plan.step()
    print(epoch, round(loss.item(), 5), sgd.param_groups[0]["lr"])
result = {"loss": loss.item()}
