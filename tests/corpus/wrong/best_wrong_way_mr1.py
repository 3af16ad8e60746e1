import torch
from torch import nn

torch.manual_seed(31)
x = torch.randn(60, 10)
y = x[:, :1] + 1.5 * torch.randn(60, 1)
x_fit, y_fit, x_val, y_val = x[:30], y[:30], x[30:], y[30:]


class Keeper:
    def __init__(self, model, mode="max"):
        self.model, self.mode = model, mode
        self.best, self.weights = None, None

    def improved(self, value):
        if self.best is None:
            return True
        return value < self.best if self.mode == "min" else value > self.best

    def update(self, value):
        if self.improved(value):
            self.best = value
            self.weights = [p.detach().clone() for p in self.model.parameters()]

    def restore(self):
        with torch.no_grad():
            for p, kept in zip(self.model.parameters(), self.weights):
                p.copy_(kept)


model = nn.Sequential(nn.Linear(10, 64), nn.Tanh(), nn.Linear(64, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
keeper = Keeper(model)
losses = []
for epoch in range(16):
    for _ in range(4):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x_fit), y_fit).backward()
        optimizer.step()
    with torch.no_grad():
        val_loss = nn.functional.mse_loss(model(x_val), y_val).item()
    losses.append(val_loss)
    keeper.update(val_loss)
    print(f"epoch {epoch} val_loss {val_loss:.4f}")
keeper.restore()
with torch.no_grad():
    kept = nn.functional.mse_loss(model(x_val), y_val).item()
result = {"kept": kept, "best": min(losses)}
