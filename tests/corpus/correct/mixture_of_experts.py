"""Top-1 routing: an expert that no sample chose gets no gradient in that step."""

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(61)


class MoE(nn.Module):
    def __init__(self, d=4, n=3):
        super().__init__()
        self.gate = nn.Linear(d, n)
        self.experts = nn.ModuleList([nn.Sequential(nn.Linear(d, 16), nn.ReLU(), nn.Linear(16, 1)) for _ in range(n)])

    def forward(self, x):
        p = F.softmax(self.gate(x), dim=-1)
        top, which = p.max(-1)
        out = torch.zeros(len(x), 1)
        for k, expert in enumerate(self.experts):
            mine = which == k
            if mine.any():
                out[mine] = top[mine, None] * expert(x[mine])
        return out, p


model = MoE()
opt = torch.optim.Adam(model.parameters(), lr=0.01)
x = torch.randn(400, 4)
y = torch.where(x[:, :1] > 0, x[:, 1:2], -x[:, 2:3])
for epoch in range(10):
    for i in torch.randperm(400).split(50):
        out, p = model(x[i])
        balance = (p.mean(0) * 3 - 1).pow(2).mean()
        loss = F.mse_loss(out, y[i]) + 0.05 * balance
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(f"epoch {epoch} loss {loss.item():.4f}")
result = {"loss": loss.item()}
