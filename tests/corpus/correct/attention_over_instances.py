"""Multiple-instance learning: one bag at a time, and the softmax runs over dim 0, the instances of the bag."""

import torch
from torch import nn

torch.manual_seed(85)
bags = [torch.randn(int(n), 6) for n in torch.randint(3, 9, (120,))]
labels = torch.randint(0, 2, (120,)).float()
for bag, label in zip(bags, labels):
    if label:
        bag[0, :2] += 3
embed = nn.Sequential(nn.Linear(6, 16), nn.ReLU())
attend, classify = nn.Linear(16, 1), nn.Linear(16, 1)
opt = torch.optim.Adam([*embed.parameters(), *attend.parameters(), *classify.parameters()], lr=5e-3)
for epoch in range(4):
    total = 0.0
    for k in torch.randperm(120).tolist():
        h = embed(bags[k])
        a = torch.softmax(attend(h), dim=0)
        loss = nn.functional.binary_cross_entropy_with_logits(classify((a * h).sum(0)), labels[k : k + 1])
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item()
    print(f"epoch {epoch} loss {total / 120:.4f}")
result = {"loss": total / 120}
