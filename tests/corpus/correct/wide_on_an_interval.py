"""Twenty points of a line, learned by heart by a wide network and by one with dropout, which both are drawn as they go."""

import torch
from torch import nn

torch.manual_seed(1)
WIDTH = 300
x = torch.linspace(-1, 1, 20)[:, None]
y = x + 0.3 * torch.randn(20, 1)
there = torch.linspace(-1, 1, 20)[:, None]
truth = there + 0.3 * torch.randn(20, 1)


def net(*drop):
    layers = [nn.Linear(1, WIDTH), *drop, nn.ReLU(), nn.Linear(WIDTH, WIDTH), *drop, nn.ReLU(), nn.Linear(WIDTH, 1)]
    return nn.Sequential(*layers)


learners = {"plain": net(), "dropout": net(nn.Dropout(0.5))}
optimizers = {name: torch.optim.Adam(learner.parameters(), lr=0.01) for name, learner in learners.items()}
result = {}
for step in range(160):
    for name, learner in learners.items():
        loss = nn.functional.mse_loss(learner(x), y)
        optimizers[name].zero_grad()
        loss.backward()
        optimizers[name].step()
    if step % 10 == 0:
        for name, learner in learners.items():
            learner.eval()
            curve = learner(there)
            result[name] = nn.functional.mse_loss(curve, truth).item()
            learner.train()
print(result)
