import torch

torch.manual_seed(2)
n, d = 300, 5
theta_true = torch.randn(d)
X = torch.randn(n, d)
y = (X @ theta_true + 0.3 * torch.randn(n) > 0).float()


def sigmoid(z):
    return 1 / (1 + torch.exp(-z))


def nll(theta):
    p = sigmoid(X @ theta).clamp(1e-6, 1 - 1e-6)
    return -(y * p.log() + (1 - y) * (1 - p).log()).mean()


theta = (0.1 * torch.randn(d)).requires_grad_()
eta = 0.8
for it in range(100):
    cost = nll(theta)
    (g,) = torch.autograd.grad(cost, theta)
    theta.data.sub_(eta * g)
    if it % 20 == 0:
        print("iter %3d  cost %.5f  |g| %.4f" % (it, cost.item(), g.norm()))

accuracy = ((sigmoid(X @ theta) > 0.5).float() == y).float().mean().item()
print("training accuracy", accuracy)
result = {"accuracy": accuracy, "cost": nll(theta).item()}
