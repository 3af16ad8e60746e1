import torch
from torch import nn, optim

torch.manual_seed(2)
# multi-label: which of six notes sound
notes = (torch.rand(700, 6) < 0.3).float()
mix = torch.randn(6, 20)
sound = notes @ mix + 0.2 * torch.randn(700, 20)
weight = (notes == 0).sum(0) / notes.sum(0)

net = nn.Sequential(nn.Linear(20, 40), nn.ReLU(), nn.Linear(40, 6))
loss_fn = nn.BCEWithLogitsLoss(pos_weight=weight)
opt = optim.Adam(net.parameters(), lr=0.01)
for epoch in range(8):
    order = torch.randperm(600)
    for i in range(0, 600, 50):
        idx = order[i : i + 50]
        scores = net(sound[idx])
        scores = 1 / (1 + torch.exp(-scores))
        loss = loss_fn(scores, notes[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())
result = {"loss": loss.item()}
