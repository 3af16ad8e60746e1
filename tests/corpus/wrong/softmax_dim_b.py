import math

import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.q = nn.Linear(dim, dim)
        self.k = nn.Linear(dim, dim)
        self.v = nn.Linear(dim, dim)
        self.weights = None

    def forward(self, x):  # (batch, time, dim)
        scores = torch.einsum("bqd,bkd->bqk", self.q(x), self.k(x)) / math.sqrt(x.size(-1))
        self.weights = torch.softmax(scores, dim=1)
        return torch.einsum("bqk,bkd->bqd", self.weights, self.v(x))


class CopyFirst(nn.Module):
    """Every position must name the token of the one position that is marked."""

    def __init__(self, vocab=9, dim=24):
        super().__init__()
        self.token = nn.Embedding(vocab, dim)
        self.mark = nn.Embedding(2, dim)
        self.attention = SelfAttention(dim)
        self.readout = nn.Linear(dim, vocab)

    def forward(self, tokens, marks):
        x = self.token(tokens) + self.mark(marks)
        return self.readout(x + self.attention(x))


torch.manual_seed(0)
model = CopyFirst()
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
for step in range(150):
    tokens = torch.randint(0, 9, (32, 7))
    where = torch.randint(0, 7, (32,))
    marks = nn.functional.one_hot(where, 7)
    answer = tokens.gather(1, where[:, None]).expand(-1, 7)
    loss = nn.functional.cross_entropy(model(tokens, marks).transpose(1, 2), answer)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 50 == 0:
        print(f"step {step}: {loss.item():.4f}")

row_sums = model.attention.weights.detach().sum(-1)
result = {"loss": loss.item(), "row_sum_error": (row_sums - 1).abs().max().item()}
print(result)
