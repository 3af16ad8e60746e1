"""A step that does not lower the loss is taken back, and a shorter one is tried."""

import torch

torch.manual_seed(75)
A = torch.randn(80, 10)
b = torch.sign(A @ torch.randn(10))
w = torch.zeros(10, requires_grad=True)


def objective():
    return torch.nn.functional.softplus(-b * (A @ w)).mean() + 0.01 * w.square().sum()


for it in range(15):
    loss = objective()
    (g,) = torch.autograd.grad(loss, w)
    t, old = 8.0, w.detach().clone()
    with torch.no_grad():
        while True:
            w.copy_(old - t * g)
            if objective() <= loss - 0.5 * t * g.square().sum():
                break
            t /= 2
    if it % 5 == 0:
        print(f"{it}: loss {loss.item():.5f} step {t}")
result = {"loss": objective().item()}
