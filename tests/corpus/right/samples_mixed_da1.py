import torch
from torch import nn

torch.manual_seed(8)
STEPS, KINDS = 12, 3


def signals(number):
    """Two sensors over time, (steps, number, sensors), of three kinds of motion."""
    kind = torch.randint(0, KINDS, (number,))
    time = torch.arange(STEPS)[:, None] * (0.4 + 0.4 * kind)
    wave = torch.stack([torch.sin(time), torch.cos(time)], 2)
    return wave + 0.2 * torch.randn_like(wave), kind


class Motion(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(2, 16, 3, padding=1)
        self.head = nn.Linear(16, KINDS)

    def forward(self, x):
        x = x.permute(1, 2, 0)
        return self.head(self.conv(x).relu().mean(2))


net = Motion()
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for step in range(60):
    x, y = signals(40)
    loss = nn.functional.cross_entropy(net(x), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 20 == 0:
        print(step, loss.item())
x, y = signals(300)
with torch.no_grad():
    result = {"accuracy": (net(x).argmax(1) == y).float().mean().item()}
print(result)
