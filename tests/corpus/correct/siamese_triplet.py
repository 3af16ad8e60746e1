"""One network sees anchor, positive and negative."""

import torch
from torch import nn

torch.manual_seed(27)
people = torch.randn(20, 10)
net = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 6))
criterion = nn.TripletMarginLoss(margin=1.0)
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)


def photo(who):
    return people[who] + 0.6 * torch.randn(len(who), 10)


for step in range(120):
    who = torch.randint(0, 20, (32,))
    other = (who + torch.randint(1, 20, (32,))) % 20
    loss = criterion(net(photo(who)), net(photo(who)), net(photo(other)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 40 == 39:
        print(f"step {step + 1} triplet loss {loss.item():.4f}")
result = {"loss": loss.item()}
