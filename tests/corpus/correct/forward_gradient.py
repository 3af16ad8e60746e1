"""Forward-mode differentiation: the gradient is estimated along one random direction; there is no backward."""

import torch
from torch.func import functional_call, jvp

torch.manual_seed(55)
model = torch.nn.Linear(4, 1)
params = dict(model.named_parameters())
x = torch.randn(200, 4)
y = x @ torch.tensor([[1.0], [-1.0], [2.0], [0.0]])


def f(p):
    return (functional_call(model, p, (x,)) - y).square().mean()


for it in range(150):
    with torch.no_grad():
        v = {k: torch.randn_like(p) for k, p in params.items()}
        loss, slope = jvp(f, ({k: p.detach() for k, p in params.items()},), (v,))
        for k, p in params.items():
            p -= 0.03 * slope * v[k]
    if it % 50 == 0:
        print(it, loss.item())
result = {"loss": loss.item()}
