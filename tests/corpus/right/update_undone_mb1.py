import torch
from torch import nn

torch.manual_seed(21)


class Smoothed:
    """The weights of a net and their running means, which change places for a test."""

    def __init__(self, net, share):
        self.net, self.share = net, share
        self.means = [weight.detach().clone() for weight in net.parameters()]
        self.aside = []

    @torch.no_grad()
    def follow(self):
        for mean, weight in zip(self.means, self.net.parameters()):
            mean.add_(weight - mean, alpha=self.share)

    @torch.no_grad()
    def enter(self):
        self.aside = [weight.detach().clone() for weight in self.net.parameters()]
        for mean, weight in zip(self.means, self.net.parameters()):
            weight.copy_(mean)

    @torch.no_grad()
    def leave(self):
        for old, weight in zip(self.aside, self.net.parameters()):
            weight.copy_(old)


points = torch.rand(360, 3) * 4 - 2
heights = torch.sin(points[:, :1]) * points[:, 1:2] + points[:, 2:].abs()
net = nn.Sequential(nn.Linear(3, 40), nn.SiLU(), nn.Linear(40, 40), nn.SiLU(), nn.Linear(40, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
smoothed = Smoothed(net, share=0.02)
for epoch in range(12):
    net.train()
    for rows in torch.randperm(300).split(30):
        optimizer.zero_grad()
        error = nn.functional.mse_loss(net(points[rows]), heights[rows])
        error.backward()
        optimizer.step()
        smoothed.follow()
    net.eval()
    smoothed.enter()
    with torch.no_grad():
        test = nn.functional.mse_loss(net(points[300:]), heights[300:]).item()
    smoothed.leave()
    print(f"{epoch:2d} train {error.item():.4f} smoothed test {test:.4f}")
result = {"test": test}
