import torch

torch.manual_seed(0)
x = torch.randn(200, 5)
y = x @ torch.randn(5, 1) + 0.1 * torch.randn(200, 1)
params = [torch.randn(5, 16) * 0.3, torch.zeros(16), torch.randn(16, 1) * 0.3]
for p in params:
    p.requires_grad_()


def forward(inputs):
    return torch.relu(inputs @ params[0] + params[1]) @ params[2]


first = None
for step in range(120):
    rows = torch.randint(0, 200, (32,))
    loss = ((forward(x[rows]) - y[rows]) ** 2).mean()
    first = first or loss.item()
    grads = torch.autograd.grad(loss, params)
    with torch.no_grad():
        for p, g in zip(params, grads):
            p -= 2e-7 * g
    if step % 20 == 0:
        print(step, loss.item())
with torch.no_grad():
    result = {"first": first, "last": ((forward(x) - y) ** 2).mean().item()}
