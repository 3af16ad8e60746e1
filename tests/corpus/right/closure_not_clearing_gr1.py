import torch

torch.manual_seed(2)
years = torch.linspace(0, 10, 40)
people = 9.0 / (1 + torch.exp(-0.9 * (years - 5.0))) + 0.1 * torch.randn(40)
theta = torch.tensor([5.0, 0.5, 4.0], requires_grad=True)
opt = torch.optim.LBFGS([theta], lr=0.5, max_iter=5)


def error():
    return (theta[0] / (1 + torch.exp(-theta[1] * (years - theta[2]))) - people).pow(2).mean()


def closure():
    opt.zero_grad()
    loss = error()
    loss.backward()
    return loss


for outer in range(10):
    print(outer, opt.step(closure).item())
with torch.no_grad():
    result = {"error": error().item()}
