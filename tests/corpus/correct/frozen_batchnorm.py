"""Fine-tuning with the batch norm layers held in eval mode while the rest trains."""

import torch
from torch import nn

torch.manual_seed(98)
model = nn.Sequential(nn.Linear(6, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Dropout(0.1), nn.Linear(24, 2))
with torch.no_grad():
    model.train()
    for _ in range(20):
        model(torch.randn(64, 6))  # stands for the pretraining


def train_mode(net):
    net.train()
    for m in net.modules():
        if isinstance(m, nn.BatchNorm1d):
            m.eval()
            m.requires_grad_(False)


x = torch.randn(240, 6)
y = (x[:, 0] > 0).long()
opt = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
for epoch in range(5):
    train_mode(model)
    for i in torch.randperm(200).split(8):
        loss = nn.functional.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    model.eval()
    with torch.no_grad():
        accuracy = (model(x[200:]).argmax(1) == y[200:]).float().mean().item()
    print("epoch", epoch, accuracy)
result = {"accuracy": accuracy}
