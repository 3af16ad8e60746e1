import torch
from torch import nn

torch.manual_seed(8)
steps, window = 44, 8
series = torch.sin(torch.arange(steps + 1) * 0.4).repeat(6, 1) + 0.05 * torch.randn(6, steps + 1)
cell = nn.GRUCell(1, 20)
readout = nn.Linear(20, 1)
model = nn.ModuleDict({"cell": cell, "readout": readout})
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
used = torch.zeros(steps)


def epoch():
    state = torch.zeros(6, 20)
    errors = []
    for t in range(steps):
        state = cell(series[:, t : t + 1], state)
        errors.append((readout(state) - series[:, t + 1 : t + 2]).square().mean())
        if len(errors) == window:
            optimizer.zero_grad()
            torch.stack(errors).mean().backward()
            optimizer.step()
            used[t + 1 - len(errors) : t + 1] += 1
            state, errors = state.detach(), []


for _ in range(6):
    epoch()
print("updates that saw each step:", used.tolist())
result = {"unseen": int((used == 0).sum())}
