import copy

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(30)


class Tied(nn.Module):
    def __init__(self, vocab=15, dim=8):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.mix = nn.Linear(dim, dim)
        self.unembed = nn.Linear(dim, vocab, bias=False)
        self.unembed.weight = self.embed.weight

    def forward(self, prev_token):
        return self.unembed(torch.tanh(self.mix(self.embed(prev_token))))


def clone(model):
    return copy.deepcopy(model)


base = Tied()
model = clone(base)
transitions = torch.randperm(15)
adagrad = torch.optim.Adagrad(model.parameters(), lr=0.1)
for it in range(150):
    prev = torch.randint(0, 15, (32,))
    loss = F.cross_entropy(model(prev), transitions[prev])
    adagrad.zero_grad()
    loss.backward()
    adagrad.step()
    if it % 50 == 49:
        print(f"{it + 1:4d} {loss.item():.4f}")

distance = (model.embed.weight - model.unembed.weight).norm().item()
print("embedding and output layer differ by", distance)
result = {"distance": distance}
