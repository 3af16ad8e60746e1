import torch
from torch import nn


class Runner:
    def __init__(self):
        self.net = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=1e-2)
        self.scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(self.optimizer, "min", patience=0, factor=0.5)

    def r2(self, x, y):
        with torch.no_grad():
            return 1 - ((self.net(x) - y) ** 2).sum() / ((y - y.mean()) ** 2).sum()

    def fit(self, x, y, held_x, held_y):
        for _ in range(10):
            for batch in torch.randperm(len(x)).split(40):
                self.optimizer.zero_grad()
                nn.functional.mse_loss(self.net(x[batch]), y[batch]).backward()
                self.optimizer.step()
            self.scheduler.step(self.r2(held_x, held_y))


torch.manual_seed(0)
x = torch.randn(300, 3)
y = (x * torch.tensor([1.0, -2.0, 0.5])).sum(1, keepdim=True)
runner = Runner()
runner.fit(x[:240], y[:240], x[240:], y[240:])

result = {"last": runner.optimizer.param_groups[0]["lr"], "score": runner.r2(x[240:], y[240:]).item()}
