import torch
from torch import nn

torch.manual_seed(5)


def patients(number):
    """Values of the blood at each of a few visits, filled up with zeros, and how many visits there were."""
    visits = torch.randint(2, 16, (number,))
    values = 2 + 0.5 * torch.randn(number, 1) + 0.2 * torch.randn(number, 17)
    return values, visits


class Next(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(1, 12, batch_first=True)
        self.head = nn.Linear(12, 1)

    def forward(self, x):
        return self.head(self.rnn(x[..., None])[0])[..., 0]


net = Next()
opt = torch.optim.Adam(net.parameters(), lr=0.05)
for step in range(60):
    values, visits = patients(24)
    width = int(visits.max())
    held = torch.arange(width) < visits[:, None]
    x, y = values[:, :width] * held, values[:, 1 : width + 1] * held
    loss = ((net(x) - y) ** 2)[held].mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 20 == 0:
        print(step, loss.item())
result = {"loss": loss.item()}
print(result)
