import torch
from torch import nn

torch.manual_seed(2)
# next value of a series: the target window must be one ahead
t = torch.arange(1200) * 0.25
series = torch.sin(t) + 0.5 * torch.sin(2.3 * t)
W = 20


class Next(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(1, 32, batch_first=True)
        self.out = nn.Linear(32, 1)

    def forward(self, x):
        return self.out(self.rnn(x)[0])


net = Next()
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for step in range(120):
    s = torch.randint(0, 1000 - W - 1, (24,)).tolist()
    x = torch.stack([series[i : i + W] for i in s]).unsqueeze(-1)
    y = torch.stack([series[i + 0 : i + W + 0] for i in s]).unsqueeze(-1)
    loss = ((net(x) - y) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
with torch.no_grad():
    x, y = series[1000:1100].view(1, -1, 1), series[1001:1101].view(1, -1, 1)
    result = {"err": (net(x) - y).abs().mean().item()}
print(result)
