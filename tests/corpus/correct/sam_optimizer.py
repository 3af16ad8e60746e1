"""Sharpness-aware minimisation: two forward-backward passes to one update; the ascent is undone exactly."""

import torch
from torch import nn


class SAM(torch.optim.Optimizer):
    def __init__(self, params, base, rho=0.05, **kwargs):
        super().__init__(params, dict(rho=rho, **kwargs))
        self.base = base(self.param_groups, **kwargs)
        self.param_groups = self.base.param_groups

    @torch.no_grad()
    def first_step(self):
        grads = [p.grad for g in self.param_groups for p in g["params"]]
        norm = torch.stack([g.norm() for g in grads]).norm()
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p]["old"] = p.clone()
                p.add_(p.grad * group["rho"] / (norm + 1e-12))
        self.zero_grad()

    @torch.no_grad()
    def second_step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.copy_(self.state[p]["old"])
        self.base.step()
        self.zero_grad()

    def step(self, closure=None):
        raise RuntimeError("use first_step and second_step")


torch.manual_seed(32)
x = torch.randn(300, 6)
y = (x[:, 0] > x[:, 1]).long()
model = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 2))
optimizer = SAM(model.parameters(), torch.optim.SGD, lr=0.2, momentum=0.9)
for epoch in range(5):
    for i in torch.randperm(300).split(30):
        loss = nn.functional.cross_entropy(model(x[i]), y[i])
        loss.backward()
        optimizer.first_step()
        nn.functional.cross_entropy(model(x[i]), y[i]).backward()
        optimizer.second_step()
    print(f"epoch {epoch} loss {loss.item():.4f}")
result = {"loss": loss.item()}
