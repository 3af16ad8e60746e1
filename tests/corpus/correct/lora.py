"""Low-rank adaptation of a frozen base; B starts at zero."""

import math

import torch
from torch import nn


class LoRALinear(nn.Module):
    def __init__(self, base, rank=2, alpha=4):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.A = nn.Parameter(torch.empty(rank, base.in_features))
        self.B = nn.Parameter(torch.zeros(base.out_features, rank))
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))
        self.scale = alpha / rank

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.A.t() @ self.B.t())


torch.manual_seed(53)
pretrained = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 1))
x = torch.randn(300, 8)
with torch.no_grad():
    y = pretrained(x) + 0.5 * x[:, :1]
model = nn.Sequential(LoRALinear(pretrained[0]), nn.Tanh(), LoRALinear(pretrained[2]))
trainable = [p for p in model.parameters() if p.requires_grad]
opt = torch.optim.AdamW(trainable, lr=0.01)
print("trainable", sum(p.numel() for p in trainable), "of", sum(p.numel() for p in model.parameters()))
for epoch in range(8):
    for i in torch.randperm(300).split(30):
        loss = nn.functional.mse_loss(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print("epoch", epoch, "loss", loss.item())
result = {"loss": loss.item()}
