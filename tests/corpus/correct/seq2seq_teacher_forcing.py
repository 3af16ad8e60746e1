"""Reverses digits; the decoder is fed its own output half of the time."""

import random

import torch
import torch.nn as nn
import torch.nn.functional as F

random.seed(1)
torch.manual_seed(1)
SOS, VOCAB, HIDDEN, L = 0, 10, 32, 4
enc_emb, enc = nn.Embedding(VOCAB, HIDDEN), nn.GRU(HIDDEN, HIDDEN, batch_first=True)
dec_emb, dec, out = nn.Embedding(VOCAB, HIDDEN), nn.GRUCell(HIDDEN, HIDDEN), nn.Linear(HIDDEN, VOCAB)
modules = nn.ModuleList([enc_emb, enc, dec_emb, dec, out])
optimizer = torch.optim.Adam(modules.parameters(), lr=5e-3)
for it in range(100):
    src = torch.randint(1, VOCAB, (32, L))
    tgt = src.flip(1)
    h = enc(enc_emb(src))[1][0]
    token, loss = torch.full((32,), SOS), 0.0
    teacher_forcing = random.random() < 0.5
    for t in range(L):
        h = dec(dec_emb(token), h)
        logits = out(h)
        loss = loss + F.cross_entropy(logits, tgt[:, t])
        token = tgt[:, t] if teacher_forcing else logits.argmax(1).detach()
    loss = loss / L
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if it % 25 == 24:
        print(f"{it + 1}: {loss.item():.4f}")
result = {"loss": loss.item()}
