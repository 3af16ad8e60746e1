import torch
from torch import nn

torch.manual_seed(17)
inputs = torch.randn(128, 5) * 3
targets = 4 * inputs[:, :1] - 6 * inputs[:, 1:2]


class Trainer:
    def __init__(self, model, max_norm):
        self.model, self.max_norm = model, max_norm
        self.optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
        self.lengths = []

    def rescale(self):
        norms = [p.grad.norm() for p in self.model.parameters()]
        total = torch.linalg.vector_norm(torch.stack(norms))
        if total > self.max_norm:
            for p in self.model.parameters():
                p.grad = p.grad * (self.max_norm / total)

    def step(self, x, y):
        self.optimizer.zero_grad()
        nn.functional.mse_loss(self.model(x), y).backward()
        before = nn.utils.parameters_to_vector(self.model.parameters()).detach().clone()
        self.optimizer.step()
        self.rescale()
        after = nn.utils.parameters_to_vector(self.model.parameters()).detach()
        self.lengths.append((after - before).norm().item())


trainer = Trainer(nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 1)), max_norm=1.0)
for epoch in range(6):
    for x, y in zip(inputs.split(32), targets.split(32)):
        trainer.step(x, y)
print("longest step:", max(trainer.lengths))
result = {"longest": max(trainer.lengths)}
