import torch
from torch import nn


class Trainer:
    def __init__(self, model, batch):
        self.model, self.batch = model, batch
        self.opt = torch.optim.Adam(model.parameters(), lr=0.01)

    def epoch(self, x, y):
        order = torch.randperm(len(x))
        for start in range(0, len(x), self.batch):
            pick = order[start : start + self.batch]
            self.opt.zero_grad()
            nn.functional.cross_entropy(self.model(x[pick]), y[pick]).backward()
            self.opt.step()

    @torch.no_grad()
    def score(self, x, y):
        steps = len(x) // self.batch
        right = total = 0
        for step in range(steps):
            a = x.narrow(0, step * self.batch, min(self.batch, len(x) - step * self.batch))
            b = y.narrow(0, step * self.batch, min(self.batch, len(y) - step * self.batch))
            right += (self.model(a).argmax(1) == b).sum().item()
            total += len(b)
        self.total = total
        return right / total


torch.manual_seed(0)
x = torch.randn(500, 8)
y = (x[:, 0] > x[:, 1]).long()
trainer = Trainer(nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2)), 32)
for epoch in range(4):
    trainer.epoch(x[:400], y[:400])
    print(epoch, trainer.score(x[400:], y[400:]))
result = {"scored": trainer.total}
