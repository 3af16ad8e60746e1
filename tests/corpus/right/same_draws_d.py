import torch
from torch import nn

torch.manual_seed(7)
basis = torch.randn(3, 20)
clean = torch.randn(150, 3) @ basis
ae = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 20))
opt = torch.optim.Adam(ae.parameters(), lr=3e-3)
for epoch in range(60):
    noise = torch.randn_like(clean)
    for rows in torch.randperm(120).split(30):
        loss = nn.functional.mse_loss(ae(clean[rows] + noise[rows]), clean[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 20 == 19:
        print("epoch", epoch + 1, "training error", loss.item())
with torch.no_grad():
    fresh = clean[120:] + torch.randn(30, 20)
    error = nn.functional.mse_loss(ae(fresh), clean[120:]).item()
print("error on new samples with new noise", error)
result = {"error": error}
