import torch
from torch import nn

torch.manual_seed(0)
x, xv = torch.randn(80, 6), torch.randn(200, 6)
y, yv = x[:, :1] * x[:, 1:2] + 0.5 * torch.randn(80, 1), xv[:, :1] * xv[:, 1:2]
net = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 1))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
best_loss, best = float("inf"), None
for epoch in range(60):
    for i in range(0, 80, 20):
        opt.zero_grad()
        nn.functional.mse_loss(net(x[i : i + 20]), y[i : i + 20]).backward()
        opt.step()
    with torch.no_grad():
        val = nn.functional.mse_loss(net(xv), yv).item()
    if val < best_loss:
        best_loss = val
        best = {k: v.numpy() for k, v in net.state_dict().items()}
net.load_state_dict({k: torch.from_numpy(v) for k, v in best.items()})
with torch.no_grad():
    restored = nn.functional.mse_loss(net(xv), yv).item()
print(f"best {best_loss:.4f}, restored {restored:.4f}")
result = {"best": best_loss, "restored": restored}
