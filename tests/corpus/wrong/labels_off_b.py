import torch
import torch.nn.functional as F


def make_moons(n):
    t = torch.rand(n) * torch.pi
    upper = torch.stack([t.cos(), t.sin()], 1)
    lower = torch.stack([1 - t.cos(), 0.5 - t.sin()], 1)
    x = torch.cat([upper, lower]) + 0.1 * torch.randn(2 * n, 2)
    return x, torch.cat([torch.full((n,), -1.0), torch.full((n,), 1.0)])


def main():
    torch.manual_seed(1)
    x, y = make_moons(200)
    net = torch.nn.Sequential(torch.nn.Linear(2, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    for epoch in range(15):
        for idx in torch.randperm(400).split(40):
            loss = F.binary_cross_entropy_with_logits(net(x[idx])[:, 0], y[idx])
            opt.zero_grad()
            loss.backward()
            opt.step()
        if epoch % 5 == 0:
            print("epoch", epoch, "loss", loss.item())
    return {"loss": loss.item()}


result = main()
print(result)
