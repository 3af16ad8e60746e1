import torch
from torch import nn

torch.manual_seed(1)
wave = torch.sin(torch.linspace(0, 800, 2000))


class Forecast(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.out = nn.LSTMCell(1, 16), nn.Linear(16, 1)

    def forward(self, series):
        h = c = torch.zeros(len(series), 16)
        outs = []
        for t in range(series.shape[1]):
            h, c = self.cell(series[:, t : t + 1], (h, c))
            outs.append(self.out(h))
        return torch.cat(outs, 1)


net = Forecast()
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for step in range(80):
    starts = torch.randint(0, 1900, (16,))
    window = torch.stack([wave[s : s + 21] for s in starts])
    loss = nn.functional.mse_loss(net(window[:, :-1]), window[:, :-1])
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item())
with torch.no_grad():
    window = torch.stack([wave[s : s + 21] for s in range(1900, 1970)])
    ahead = nn.functional.mse_loss(net(window[:, :-1]), window[:, 1:]).item()
result = {"ahead": ahead}
