import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.rand(500, 2) * 2 - 1
y = 3 * torch.sin(2 * x[:, :1]) * torch.cos(x[:, 1:])
train_dl = DataLoader(TensorDataset(x[:400], y[:400]), batch_size=40, shuffle=True)
valid_dl = DataLoader(TensorDataset(x[400:], y[400:]), batch_size=50)


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.stack = nn.Sequential(
            nn.Linear(2, 32),
            nn.ReLU(),
            nn.Linear(32, 32),
            nn.ReLU(),
            nn.Linear(32, 1),
        )

    def forward(self, x):
        return self.stack(x)


model, loss_func = Regressor(), nn.MSELoss()
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(10):
    model.train()
    for xb, yb in train_dl:
        loss = loss_func(model(xb), yb)
        loss.backward()
        opt.step()
        opt.zero_grad()
    model.eval()
    with torch.no_grad():
        valid_loss = sum(loss_func(model(xb), yb).item() for xb, yb in valid_dl)
    print(epoch, valid_loss / len(valid_dl))
result = {"mse": valid_loss / len(valid_dl)}
