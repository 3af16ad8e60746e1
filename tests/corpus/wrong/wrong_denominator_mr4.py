import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(2)
age = torch.rand(400, 1) * 10
price = 30 - 2.2 * age + torch.randn(400, 1)
order = age[300:, 0].argsort()
train_dl = DataLoader(TensorDataset(age[:300], price[:300]), batch_size=50, shuffle=True)
val_dl = DataLoader(TensorDataset(age[300:][order], price[300:][order]), batch_size=25)
net = nn.Sequential(nn.Linear(1, 16), nn.ReLU(), nn.Linear(16, 1))
optim = torch.optim.Adam(net.parameters(), lr=0.02)


def validate():
    net.eval()
    with torch.no_grad():
        for xb, yb in val_dl:
            mae = nn.functional.l1_loss(net(xb), yb).item()
    net.train()
    return mae


history = []
for epoch in range(8):
    for xb, yb in train_dl:
        loss = nn.functional.mse_loss(net(xb), yb)
        optim.zero_grad()
        loss.backward()
        optim.step()
    history.append(validate())
    print(f"epoch {epoch}: validation MAE {history[-1]:.4f}")
with torch.no_grad():
    whole = (net(age[300:]) - price[300:]).abs().mean().item()
result = {"told": history[-1], "whole": whole}
