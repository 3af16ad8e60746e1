"""Sparse Adam for the embedding, SGD for the rest, both stepped each batch."""

import torch
import torch.nn as nn

torch.manual_seed(19)
emb = nn.Embedding(50, 8, sparse=True)
mlp = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1))
opts = [torch.optim.SparseAdam(emb.parameters(), lr=0.02), torch.optim.SGD(mlp.parameters(), lr=0.1, momentum=0.9)]
taste = torch.randn(50, 3)
pairs = torch.randint(0, 50, (600, 2))
liked = ((taste[pairs[:, 0]] * taste[pairs[:, 1]]).sum(1) > 0).float()
for epoch in range(8):
    for i in torch.randperm(600).split(60):
        for o in opts:
            o.zero_grad()
        score = mlp(emb(pairs[i]).flatten(1)).squeeze(1)
        loss = nn.functional.binary_cross_entropy_with_logits(score, liked[i])
        loss.backward()
        for o in opts:
            o.step()
    print("epoch", epoch, "loss", loss.item())
result = {"loss": loss.item()}
