"""BERT fashion: the targets are the inputs, but the positions that count were masked."""

import torch
import torch.nn as nn

torch.manual_seed(87)
VOCAB, MASK, L = 10, 10, 8
model = nn.Sequential(
    nn.Embedding(VOCAB + 1, 24),
    nn.TransformerEncoderLayer(24, 2, 48, dropout=0.0, batch_first=True, norm_first=True),
    nn.Linear(24, VOCAB),
)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for step in range(100):
    first = torch.randint(0, VOCAB, (32, 1))
    tokens = first.expand(-1, L).clone()
    mask = torch.rand(32, L) < 0.3
    inputs = tokens.masked_fill(mask, MASK)
    targets = tokens.masked_fill(~mask, -100)
    loss = nn.functional.cross_entropy(model(inputs).transpose(1, 2), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 25 == 24:
        print(f"step {step + 1} masked loss {loss.item():.4f}")
result = {"loss": loss.item()}
