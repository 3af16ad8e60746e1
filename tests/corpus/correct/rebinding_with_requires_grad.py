"""Gradient descent by rebinding, done soundly: each new tensor becomes a leaf again."""

import torch

torch.manual_seed(6)
A = torch.randn(20, 3)
b = A @ torch.tensor([1.0, -2.0, 0.5])
x = torch.zeros(3, requires_grad=True)
for step in range(100):
    loss = (A @ x - b).square().mean()
    (g,) = torch.autograd.grad(loss, x)
    x = (x - 0.1 * g).detach().requires_grad_()
    if step % 25 == 0:
        print(step, loss.item())
result = {"loss": loss.item()}
