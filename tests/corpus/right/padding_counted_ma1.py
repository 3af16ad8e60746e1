import torch
from torch import nn

torch.manual_seed(0)
T = 12


def make(b):
    lengths = torch.randint(3, T + 1, (b,))
    x = torch.randn(b, T, 3)
    y = x.cumsum(1)[..., :1]
    mask = torch.arange(T).unsqueeze(0) < lengths.unsqueeze(1)
    return x, y, mask


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(3, 24, batch_first=True)
        self.fc = nn.Linear(24, 1)

    def forward(self, x):
        return self.fc(self.rnn(x)[0])


net = Net()
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for step in range(60):
    x, y, mask = make(32)
    diff = (net(x) - y).squeeze(-1)
    sq = torch.where(mask, diff**2, torch.zeros_like(diff))
    loss = sq.sum() / mask.sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 20 == 0:
        print(step, loss.item())
result = {"ratio": loss.item() / (sq.sum() / mask.sum()).item()}
