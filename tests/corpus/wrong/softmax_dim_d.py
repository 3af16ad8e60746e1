"""Which of the numbers of a sequence is the largest? Attention with two heads, written out."""

import math

import torch
from torch import nn

torch.manual_seed(42)


class Heads(nn.Module):
    def __init__(self, width=16, heads=2):
        super().__init__()
        self.heads, self.each = heads, width // heads
        self.inward, self.mix = nn.Linear(1, width), nn.Linear(width, 3 * width)
        self.outward, self.softmax = nn.Linear(width, 1), nn.Softmax(dim=1)

    def forward(self, x):
        count, length, _ = x.shape
        parts = self.mix(torch.tanh(self.inward(x))).view(count, length, self.heads, 3 * self.each)
        query, key, held = parts.transpose(1, 2).chunk(3, dim=-1)
        self.weights = self.softmax(query @ key.transpose(-1, -2) / math.sqrt(self.each))
        mixed = (self.weights @ held).transpose(1, 2).reshape(count, length, -1)
        return self.outward(torch.tanh(self.inward(x)) + mixed).squeeze(-1)


x = torch.randn(600, 6, 1)
y = x.squeeze(-1).argmax(1)
model = Heads()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(4):
    for rows in torch.randperm(500).split(50):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch} loss {loss.item():.3f}")
with torch.no_grad():
    accuracy = (model(x[500:]).argmax(1) == y[500:]).float().mean().item()
result = {"accuracy": accuracy, "row_sum_error": (model.weights.sum(-1) - 1).abs().max().item()}
