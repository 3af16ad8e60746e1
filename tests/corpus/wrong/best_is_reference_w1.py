import numpy as np
import torch

rng = np.random.default_rng(46)

# ozone from weather readings, most of them kept for checking
n = 350
W = rng.normal(size=(n, 7))
ozone = 1.2 * W[:, 0] + np.maximum(W[:, 1], 0) - 0.5 * W[:, 2] * W[:, 3] + 0.7 * rng.normal(size=n)
x = torch.tensor(W, dtype=torch.float32)
y = torch.tensor(ozone, dtype=torch.float32)
x_tr, y_tr = x[:50], y[:50]
x_va, y_va = x[50:200], y[50:200]
x_te, y_te = x[200:], y[200:]

g = torch.Generator().manual_seed(46)
hidden = 24
params = {
    "w1": torch.randn(7, hidden, generator=g) / 7**0.5,
    "b1": torch.zeros(hidden),
    "w2": torch.randn(hidden, generator=g) / hidden**0.5,
    "b2": torch.zeros(1),
}
for p in params.values():
    p.requires_grad_()
velocity = {k: torch.zeros_like(p) for k, p in params.items()}


def forward(p, inputs):
    return torch.relu(inputs @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"]


def mse(p, inputs, target):
    return (forward(p, inputs) - target).pow(2).mean()


best_val, best_params, best_epoch = float("inf"), None, 0
for epoch in range(60):
    for idx in torch.randperm(50, generator=g).split(10):
        loss = mse(params, x_tr[idx], y_tr[idx])
        grads = torch.autograd.grad(loss, list(params.values()))
        with torch.no_grad():
            for (k, p), d in zip(params.items(), grads):
                velocity[k].mul_(0.9).add_(d)
                p.sub_(0.004 * velocity[k])
    with torch.no_grad():
        val = mse(params, x_va, y_va).item()
    if val < best_val:
        best_val, best_epoch = val, epoch
        best_params = {k: p.detach() for k, p in params.items()}
    if epoch % 10 == 9:
        print(f"epoch {epoch + 1} train {loss.item():.4f} val {val:.4f}")

print(f"best epoch {best_epoch + 1} val mse {best_val:.4f}")
print(f"test mse of the best parameters {mse(best_params, x_te, y_te).item():.4f}")
result = {"mse": mse(best_params, x_va, y_va).item(), "best": best_val}
