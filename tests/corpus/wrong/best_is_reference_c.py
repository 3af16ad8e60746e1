import torch
from torch import nn

torch.manual_seed(22)
x = torch.rand(90, 2) * 2 - 1
noisy = (x.norm(dim=1) < 0.7) ^ (torch.rand(90) < 0.2)
t = noisy.float()
mlp = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
opt = torch.optim.Adam(mlp.parameters(), lr=0.01)
bce = nn.BCEWithLogitsLoss()
best, kept = 1e9, None
for epoch in range(120):
    opt.zero_grad()
    bce(mlp(x[:45]).squeeze(1), t[:45]).backward()
    opt.step()
    with torch.no_grad():
        val = bce(mlp(x[45:]).squeeze(1), t[45:]).item()
    if val < best:
        best, kept = val, mlp.state_dict().copy()
    if epoch % 30 == 29:
        print(f"epoch {epoch + 1} val {val:.4f} best {best:.4f}")
mlp.load_state_dict(kept)
with torch.no_grad():
    restored = bce(mlp(x[45:]).squeeze(1), t[45:]).item()
print("restored", restored)
result = {"best": best, "restored": restored}
