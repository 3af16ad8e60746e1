import torch
from torch import nn

torch.manual_seed(0)
x = torch.linspace(-3, 3, 80, dtype=torch.float64)[:, None]
y = torch.exp(-(x**2)) * torch.sin(3 * x)
model = nn.Sequential(nn.Linear(1, 12), nn.Tanh(), nn.Linear(12, 1)).double()
optimizer = torch.optim.LBFGS(model.parameters(), lr=1.0, max_iter=15, line_search_fn="strong_wolfe")


def closure():
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    return loss


for step in range(5):
    loss = optimizer.step(closure)
    print("step", step, "loss", loss.item())
result = {"loss": loss.item()}
