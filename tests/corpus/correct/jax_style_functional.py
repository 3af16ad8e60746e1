"""Parameters as a dict that each step replaces, as one writes it in a functional library."""

import torch
from torch.func import functional_call, grad_and_value

torch.manual_seed(13)
model = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
params = {name: p.detach() for name, p in model.named_parameters()}
x = torch.rand(200, 2)
y = (x[:, :1] - x[:, 1:]) ** 2


def loss_fn(params, x, y):
    return (functional_call(model, params, (x,)) - y).square().mean()


step = grad_and_value(loss_fn)
for it in range(80):
    i = torch.randint(0, 200, (50,))
    grads, loss = step(params, x[i], y[i])
    params = {name: p - 0.1 * grads[name] for name, p in params.items()}
    if it % 20 == 0:
        print(it, float(loss))
result = {"loss": float(loss)}
