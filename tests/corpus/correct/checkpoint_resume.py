"""Everything that the run needs is saved and loaded: weights, moments, schedule, epoch, random state."""

import os
import tempfile

import torch
from torch import nn


def build():
    net = nn.Sequential(nn.Linear(5, 24), nn.Tanh(), nn.Linear(24, 1))
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    return net, opt, torch.optim.lr_scheduler.StepLR(opt, 3, 0.5)


def train(net, opt, sched, epochs):
    for epoch in epochs:
        for i in torch.randperm(200).split(20):
            opt.zero_grad()
            loss = nn.functional.mse_loss(net(x[i]), y[i])
            loss.backward()
            opt.step()
        sched.step()
        print("epoch", epoch, "loss", loss.item())
    return loss.item()


torch.manual_seed(38)
x = torch.randn(200, 5)
y = x.norm(dim=1, keepdim=True)
net, opt, sched = build()
train(net, opt, sched, range(4))
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "checkpoint.pt")
    torch.save(
        {
            "net": net.state_dict(),
            "opt": opt.state_dict(),
            "sched": sched.state_dict(),
            "rng": torch.get_rng_state(),
            "epoch": 4,
        },
        path,
    )
    uninterrupted = train(net, opt, sched, range(4, 7))
    net, opt, sched = build()
    state = torch.load(path)
net.load_state_dict(state["net"])
opt.load_state_dict(state["opt"])
sched.load_state_dict(state["sched"])
torch.set_rng_state(state["rng"])
resumed = train(net, opt, sched, range(state["epoch"], 7))
print("the same as without the stop:", resumed == uninterrupted)
result = {"difference": abs(resumed - uninterrupted)}
