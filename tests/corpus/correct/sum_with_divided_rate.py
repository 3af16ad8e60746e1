"""A summed loss with the rate divided by the batch size."""

import torch

torch.manual_seed(11)
n, lr = 50, 0.1
X = torch.randn(400, 6)
y = X @ torch.arange(6.0)
w = torch.zeros(6, requires_grad=True)
for epoch in range(6):
    for i in torch.randperm(400).split(n):
        loss = ((X[i] @ w - y[i]) ** 2).sum()
        loss.backward()
        with torch.no_grad():
            w -= lr / n * w.grad
            w.grad.zero_()
    print(f"epoch {epoch} loss {loss.item() / n:.6f}")
result = {"error": (w.detach() - torch.arange(6.0)).abs().max().item()}
