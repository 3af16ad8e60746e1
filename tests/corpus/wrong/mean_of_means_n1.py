"""A byte model whose perplexity is told for windows of which the last is short and hard."""

import math

import torch
from torch import nn

torch.manual_seed(6)
text = torch.tensor(list(b"the cat sat on the mat and the dog sat on the log. " * 24))
held_out = torch.tensor(list(b"the dog sat on the mat and the cat sat on the log. " * 4 + b"zebras yawn"))
table = nn.Embedding(128, 24)
layer = nn.LSTM(24, 48)
out = nn.Linear(48, 128)
modules = nn.ModuleList([table, layer, out])
optimizer = torch.optim.Adam(modules.parameters(), lr=0.02)


def loss_of(tokens):
    hidden, _ = layer(table(tokens[:-1]))
    return nn.functional.cross_entropy(out(hidden), tokens[1:])


for epoch in range(3):
    modules.train()
    for window in text.split(51):
        optimizer.zero_grad()
        loss_of(window).backward()
        optimizer.step()
    modules.eval()
    with torch.no_grad():
        windows = [window for window in held_out.split(51) if len(window) > 1]
        perplexity = math.exp(sum(loss_of(window).item() for window in windows) / len(windows))
    print(f"epoch {epoch}  perplexity {perplexity:.4f}")
result = {"perplexity": perplexity}
