"""A two-layer net with tensors only; the gradients are dropped by p.grad = None."""

import torch

torch.manual_seed(0)
X = torch.randn(256, 5)
Y = torch.stack([X[:, 0] * X[:, 1], X[:, 2].cos()], 1)
params = [torch.randn(5, 30) * 0.4, torch.zeros(30), torch.randn(30, 2) * 0.2, torch.zeros(2)]
for p in params:
    p.requires_grad = True


def forward(x):
    W1, b1, W2, b2 = params
    return (x @ W1 + b1).relu() @ W2 + b2


for k in range(200):
    ix = torch.randint(0, 256, (32,))
    loss = ((forward(X[ix]) - Y[ix]) ** 2).mean()
    for p in params:
        p.grad = None
    loss.backward()
    lr = 0.1 if k < 120 else 0.01
    for p in params:
        p.data += -lr * p.grad
    if k % 50 == 0:
        print(f"{k:4d}/200: {loss.item():.4f}")
with torch.no_grad():
    result = {"loss": ((forward(X) - Y) ** 2).mean().item()}
