"""CyclicLR belongs in the batch loop."""

import torch

torch.manual_seed(103)
x = torch.randn(400, 8)
y = x @ torch.randn(8, 1)
net = torch.nn.Linear(8, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.8)
sched = torch.optim.lr_scheduler.CyclicLR(opt, base_lr=0.005, max_lr=0.05, step_size_up=20)
for epoch in range(6):
    for i in torch.randperm(400).split(20):
        loss = (net(x[i]) - y[i]).square().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        sched.step()
    print(epoch, loss.item(), sched.get_last_lr()[0])
result = {"loss": loss.item()}
