import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(5, 24), nn.Tanh(), nn.Linear(24, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
x = torch.randn(320, 5)
y = x.abs().sum(1, keepdim=True)
scales = []
for step in range(40):
    batch = torch.randperm(320)[:64]
    # the gradient of a part, to see how much one of the whole batch differs from it
    nn.functional.mse_loss(net(x[batch[:16]]), y[batch[:16]]).backward()
    part = torch.cat([p.grad.flatten() for p in net.parameters()])
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(net(x[batch]), y[batch])
    loss.backward()
    whole = torch.cat([p.grad.flatten() for p in net.parameters()])
    scales.append(((part - whole).square().sum() / whole.square().sum()).item())
    optimizer.step()
    optimizer.zero_grad()
print(loss.item(), sum(scales) / len(scales))

result = {"loss": loss.item(), "noise": sum(scales) / len(scales)}
