import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class WindowDataset(Dataset):
    def __init__(self, series, width):
        self.series, self.width = series, width

    def __len__(self):
        return len(self.series) - self.width

    def __getitem__(self, i):
        past = self.series[i : i + self.width]
        future = self.series[i : i + self.width]
        return past, future


class CausalNet(nn.Module):
    def __init__(self, channels=12, kernel=5):
        super().__init__()
        self.pad = nn.ConstantPad1d((kernel - 1, 0), 0.0)
        self.conv = nn.Conv1d(1, channels, kernel)
        self.mix = nn.Conv1d(channels, 1, 1)

    def forward(self, x):
        return self.mix(torch.tanh(self.conv(self.pad(x.unsqueeze(1))))).squeeze(1)


torch.manual_seed(0)
t = np.arange(420)
signal = np.sin(t / 1.5) + 0.5 * np.sin(t / 0.7) + 0.05 * np.random.default_rng(0).normal(size=420)
series = torch.tensor(signal, dtype=torch.float32)
loader = DataLoader(WindowDataset(series[:340], 20), batch_size=32, shuffle=True)
net = CausalNet()
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(10):
    total, count = 0.0, 0
    for past, future in loader:
        loss = nn.functional.mse_loss(net(past), future)
        opt.zero_grad()
        loss.backward()
        opt.step()
        total, count = total + loss.item() * len(past), count + len(past)
    print(f"epoch {epoch} mse {total / count:.4f}")

with torch.no_grad():
    forecast = net(series[None, 340:419])
    forecast_mse = nn.functional.mse_loss(forecast[0, 5:], series[346:420]).item()
result = {"loss": total / count, "forecast_mse": forecast_mse}
print(result)
