import torch

torch.manual_seed(0)
x = torch.rand(128, 3) * 4 - 2
y = torch.stack([x[:, 0] * x[:, 1], x[:, 2] ** 2], 1)
params = {"w": torch.randn(3, 24), "b": torch.zeros(24), "out": torch.randn(24, 2) * 0.2}
params = {name: p.requires_grad_() for name, p in params.items()}


def forward(params, inputs):
    return torch.relu(inputs @ params["w"] + params["b"]) @ params["out"]


def sgd(params, grads, lr):
    return {name: (p - lr * g).detach().requires_grad_() for (name, p), g in zip(params.items(), grads)}


for step in range(120):
    rows = torch.randint(0, 128, (32,))
    loss = (forward(params, x[rows]) - y[rows]).pow(2).mean()
    grads = torch.autograd.grad(loss, list(params.values()))
    params = sgd(params, grads, lr=0.05)
with torch.no_grad():
    result = {"loss": (forward(params, x) - y).pow(2).mean().item()}
print(result)
