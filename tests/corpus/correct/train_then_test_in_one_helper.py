import torch
import torch.nn as nn
from torch.utils.data import TensorDataset, DataLoader

torch.manual_seed(27)
t = torch.arange(0, 330, dtype=torch.float32)
speed = 6 + 3 * torch.sin(t / 11) + 1.5 * torch.sin(t / 3.7) + 0.5 * torch.randn(330)
speed[-6:] += 9.0  # a storm at the end of the record
power = (speed.clamp(0, 12) / 12) ** 3 + 0.02 * torch.randn(330)

windows = speed.unfold(0, 6, 1)[:-1] / 10
targets = power[6:]
train = TensorDataset(windows[:192], targets[:192])
test = TensorDataset(windows[192:], targets[192:])

train_loader = DataLoader(train, batch_size=32, shuffle=True)
test_loader = DataLoader(test, batch_size=64)


class Forecaster(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 1))

    def forward(self, x):
        return self.body(x).squeeze(-1)


def evaluate(model, loader, loss_fn):
    model.eval()
    total = 0.0
    with torch.no_grad():
        for x, y in loader:
            total += loss_fn(model(x), y).item() * len(y)
    return total / len(loader.dataset)


model = Forecaster()
loss_fn = nn.MSELoss()
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(20):
    model.train()
    for x, y in train_loader:
        opt.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        opt.step()
    if epoch % 5 == 4:
        print(
            f"epoch {epoch + 1} | train {evaluate(model, train_loader, loss_fn):.5f}"
            f" | test {evaluate(model, test_loader, loss_fn):.5f}"
        )
result = {"test": evaluate(model, test_loader, loss_fn)}
