import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(7)
x = torch.linspace(-3, 3, 480).unsqueeze(1)
y = torch.sin(2 * x) + 0.1 * torch.randn_like(x)
model = nn.Sequential(nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, 1))
opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
log_every = 5


def train(steps):
    shown, running_loss = [], 0.0
    for step in range(1, steps + 1):
        rows = torch.randint(0, len(x), (40,))
        loss = F.mse_loss(model(x[rows]), y[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
        running_loss += loss.item()
        if step % log_every == 0:
            print("step %4d  loss %.5f" % (step, running_loss / log_every))
            shown.append(running_loss / log_every)
            running_loss = 0.0
    return shown


shown = train(60)
result = {"last": shown[-1], "first": shown[0]}
