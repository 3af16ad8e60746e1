"""Sums over micro-batches, divided once by the number of samples before the step."""

import torch

torch.manual_seed(4)
x = torch.randn(512, 10)
y = x @ torch.randn(10)
net = torch.nn.Linear(10, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(5):
    perm = torch.randperm(512)
    for big in perm.split(128):
        opt.zero_grad(set_to_none=True)
        total = 0.0
        for small in big.split(20):
            err = ((net(x[small]).squeeze(1) - y[small]) ** 2).sum()
            err.backward()
            total += err.item()
        for p in net.parameters():
            p.grad.div_(len(big))
        opt.step()
    print("epoch", epoch, "mse", total / len(big))
result = {"mse": total / len(big)}
