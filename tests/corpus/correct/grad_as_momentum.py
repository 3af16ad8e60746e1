"""The gradients are decayed and not cleared: .grad itself is the momentum buffer."""

import torch

torch.manual_seed(70)
A = torch.randn(60, 8)
target = A @ torch.linspace(-1, 1, 8)
w = torch.zeros(8, requires_grad=True)
for step in range(120):
    if w.grad is not None:
        w.grad.mul_(0.8)
    loss = ((A @ w - target) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.05 * w.grad
    if step % 30 == 0:
        print(step, loss.item())
result = {"loss": loss.item()}
