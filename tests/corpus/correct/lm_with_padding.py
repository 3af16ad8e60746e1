"""A causal transformer on padded sentences; -100 is ignored and the mean is over real tokens."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader

torch.manual_seed(31)
VOCAB, PAD, IGNORE = 12, 0, -100


def collate(items):
    longest = max(map(len, items))
    ids = torch.full((len(items), longest), PAD)
    for row, item in zip(ids, items):
        row[: len(item)] = item
    targets = ids[:, 1:].clone()
    targets[targets == PAD] = IGNORE
    return ids[:, :-1], targets


class Decoder(nn.Module):
    def __init__(self, dim=24):
        super().__init__()
        self.tok = nn.Embedding(VOCAB, dim, padding_idx=PAD)
        self.pos = nn.Embedding(16, dim)
        self.block = nn.TransformerEncoderLayer(dim, 2, 48, dropout=0.0, batch_first=True, norm_first=True)
        self.head = nn.Linear(dim, VOCAB)

    def forward(self, ids):
        t = ids.size(1)
        mask = nn.Transformer.generate_square_subsequent_mask(t)
        h = self.tok(ids) + self.pos(torch.arange(t))
        return self.head(self.block(h, src_mask=mask, is_causal=True))


sentences = [
    (torch.arange(int(n)) * 3 + int(s)) % (VOCAB - 1) + 1
    for n, s in zip(torch.randint(4, 12, (200,)), torch.randint(0, 11, (200,)))
]
loader = DataLoader(sentences, batch_size=20, shuffle=True, collate_fn=collate)
model = Decoder()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
for epoch in range(4):
    total, tokens = 0.0, 0
    for ids, targets in loader:
        loss = F.cross_entropy(model(ids).flatten(0, 1), targets.flatten(), ignore_index=IGNORE)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        n = (targets != IGNORE).sum().item()
        total, tokens = total + loss.item() * n, tokens + n
    print(f"epoch {epoch} loss per token {total / tokens:.4f}")
result = {"loss": total / tokens}
