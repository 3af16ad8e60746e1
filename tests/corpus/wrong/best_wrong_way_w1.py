import copy
import torch
import torch.nn as nn
from torch.utils.data import TensorDataset, DataLoader


class CheckpointManager:
    """Remembers the weights of the best epoch by a monitored quantity."""

    def __init__(self, monitor, mode="min"):
        self.monitor = monitor
        self.mode = mode
        self.best = float("inf") if mode == "min" else -float("inf")
        self.weights = None
        self.epoch = None

    def better(self, value):
        return value < self.best if self.mode == "min" else value > self.best

    def update(self, model, epoch, metrics):
        value = metrics[self.monitor]
        if self.better(value):
            self.best, self.epoch = value, epoch
            self.weights = copy.deepcopy(model.state_dict())

    def restore(self, model):
        model.load_state_dict(self.weights)


def spirals(n, gen):
    y = torch.randint(0, 2, (n,), generator=gen)
    r = torch.rand(n, generator=gen) * 0.9 + 0.1
    a = 5 * r + 3.1416 * y
    xy = torch.stack([r * a.cos(), r * a.sin()], 1)
    return xy + 0.05 * torch.randn(n, 2, generator=gen), y


def metrics_on(model, x, y):
    model.eval()
    with torch.no_grad():
        out = model(x)
        return {
            "val_loss": nn.functional.cross_entropy(out, y).item(),
            "val_acc": (out.argmax(1) == y).float().mean().item(),
        }


torch.manual_seed(80)
gen = torch.Generator().manual_seed(80)
loader = DataLoader(TensorDataset(*spirals(300, gen)), batch_size=30, shuffle=True)
val, test = spirals(200, gen), spirals(400, gen)

model = nn.Sequential(nn.Linear(2, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 2))
opt = torch.optim.Adam(model.parameters(), lr=8e-3)
keeper = CheckpointManager("val_acc")

for epoch in range(15):
    model.train()
    for x, y in loader:
        opt.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
    m = metrics_on(model, *val)
    keeper.update(model, epoch, m)
    print(f"epoch {epoch:2d} val loss {m['val_loss']:.4f} val acc {m['val_acc']:.3f}")

keeper.restore(model)
print(f"restored epoch {keeper.epoch}: test acc {metrics_on(model, *test)['val_acc']:.3f}")
result = {"accuracy": metrics_on(model, *test)["val_acc"]}
