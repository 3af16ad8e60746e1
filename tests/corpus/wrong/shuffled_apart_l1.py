import torch

torch.manual_seed(21)
slope, shift = torch.tensor([[1.5], [-2.0], [0.7]]), 3.1
table = torch.randn(500, 3)
answers = table @ slope + shift + 0.05 * torch.randn(500, 1)


def minibatches(inputs, targets, size):
    order = torch.randperm(len(inputs))
    inputs, targets = inputs[order], targets[torch.randperm(len(inputs))]
    for first in range(0, len(inputs), size):
        yield inputs[first : first + size], targets[first : first + size]


w = torch.zeros(3, 1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
for epoch in range(4):
    for inputs, targets in minibatches(table, answers, 20):
        errors = (inputs @ w + b - targets) ** 2 / 2
        errors.sum().backward()
        with torch.no_grad():
            for p in (w, b):
                p -= 0.05 * p.grad / len(targets)
                p.grad.zero_()
    with torch.no_grad():
        print(f"epoch {epoch + 1} loss {((table @ w + b - answers) ** 2 / 2).mean():.4f}")
result = {"off": (w.detach() - slope).norm().item()}
