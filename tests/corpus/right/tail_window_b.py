import torch
from torch import nn


class AccumulatingTrainer:
    """Steps once every `every` batches."""

    def __init__(self, net, every=3, lr=0.05):
        self.net, self.every = net, every
        self.opt = torch.optim.SGD(net.parameters(), lr=lr)
        self.pending = 0
        self.windows = []

    def run_epoch(self, batches):
        losses = []
        whole = len(batches) // self.every * self.every
        for k, (x, y) in enumerate(batches):
            loss = nn.functional.mse_loss(self.net(x).squeeze(-1), y)
            loss.div(self.every if k < whole else len(batches) - whole).backward()
            self.pending += 1
            if k % self.every == self.every - 1 or k == len(batches) - 1:
                self.opt.step()
                self.opt.zero_grad()
                self.windows.append(self.pending)
                self.pending = 0
            losses.append(loss.item())
        return sum(losses) / len(losses)


torch.manual_seed(21)
x = torch.randn(7 * 20, 12)
y = x[:, 0] - 2 * x[:, 1] + 0.5 * x[:, 2]
trainer = AccumulatingTrainer(nn.Sequential(nn.Linear(12, 16), nn.Tanh(), nn.Linear(16, 1)))
for epoch in range(9):
    order = torch.randperm(len(x))
    batches = [(x[i], y[i]) for i in order.chunk(7)]
    mean = trainer.run_epoch(batches)
    if epoch % 3 == 0:
        print("epoch", epoch, "mean loss", mean)

result = {"batches_per_update": max(trainer.windows), "updates": len(trainer.windows)}
print(result)
