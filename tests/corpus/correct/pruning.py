"""Magnitude pruning between two rounds of training: half of the weights are zero for good."""

import torch
import torch.nn.utils.prune as prune
from torch import nn

torch.manual_seed(52)
x = torch.randn(300, 10)
y = (x[:, 0] - x[:, 1] > 0).long()
model = nn.Sequential(nn.Linear(10, 40), nn.ReLU(), nn.Linear(40, 2))


def train(epochs):
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(epochs):
        for i in torch.randperm(300).split(30):
            loss = nn.functional.cross_entropy(model(x[i]), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return loss.item()


print("dense", train(4))
for layer in (model[0], model[2]):
    prune.l1_unstructured(layer, "weight", amount=0.5)
print("pruned and trained again", train(4))
for layer in (model[0], model[2]):
    prune.remove(layer, "weight")
zeros = (model[0].weight == 0).float().mean().item()
print("share of zeros", zeros)
result = {"zeros": zeros}
