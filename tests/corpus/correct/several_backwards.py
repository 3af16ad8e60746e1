"""Two heads, each loss with a backward of its own before one step."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 24), nn.ReLU())
        self.kind = nn.Linear(24, 3)
        self.size = nn.Linear(24, 1)

    def forward(self, x):
        h = self.body(x)
        return self.kind(h), self.size(h).squeeze(-1)


torch.manual_seed(1)
x = torch.randn(300, 6)
kind, size = x[:, :3].argmax(1), x[:, 3] - x[:, 4]
model = TwoHeads()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(8):
    for rows in torch.randperm(300).split(30):
        kind_logits, size_hat = model(x[rows])
        optimizer.zero_grad()
        kind_loss = F.cross_entropy(kind_logits, kind[rows])
        kind_loss.backward(retain_graph=True)
        size_loss = F.mse_loss(size_hat, size[rows])
        size_loss.backward()
        optimizer.step()
    print(f"{epoch}: kind {kind_loss.item():.3f} size {size_loss.item():.3f}")
result = {"kind": kind_loss.item(), "size": size_loss.item()}
