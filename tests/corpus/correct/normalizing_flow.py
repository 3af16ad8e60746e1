"""RealNVP: maximum likelihood with the log-determinant; the last layers start at zero."""

import math

import torch
from torch import nn


class Coupling(nn.Module):
    def __init__(self, flip):
        super().__init__()
        self.flip = flip
        self.net = nn.Sequential(nn.Linear(1, 24), nn.ReLU(), nn.Linear(24, 2))
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, x):
        a, b = x.chunk(2, 1)
        if self.flip:
            a, b = b, a
        s, t = self.net(a).chunk(2, 1)
        s = torch.tanh(s)
        b = b * s.exp() + t
        return torch.cat((b, a) if self.flip else (a, b), 1), s.squeeze(1)


torch.manual_seed(47)
data = torch.randn(500, 2)
data[:, 1] = 0.3 * data[:, 1] + data[:, 0] ** 2 / 2
flow = nn.ModuleList([Coupling(k % 2 == 1) for k in range(4)])
opt = torch.optim.Adam(flow.parameters(), lr=5e-3)
for epoch in range(8):
    for rows in torch.randperm(500).split(50):
        z, logdet = data[rows], 0.0
        for layer in flow:
            z, s = layer(z)
            logdet = logdet + s
        nll = (0.5 * z.pow(2).sum(1) + math.log(2 * math.pi) - logdet).mean()
        opt.zero_grad()
        nll.backward()
        opt.step()
    print(f"epoch {epoch}: nll {nll.item():.4f}")
result = {"nll": nll.item()}
