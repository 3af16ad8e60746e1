import numpy as np
import torch

rng = np.random.RandomState(7)
area = rng.uniform(30, 200, size=240)
rooms = rng.randint(1, 7, size=240)
price = 3.0 * area + 20 * rooms + rng.normal(0, 15, size=240)

feats = np.stack([area, rooms], axis=1)
feats = (feats - feats.mean(0)) / feats.std(0)
price = (price - price.mean()) / price.std()
X = torch.tensor(feats, dtype=torch.float32)
y = torch.tensor(price, dtype=torch.float32)

torch.manual_seed(7)
model = torch.nn.Linear(2, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.1)


def huber(pred, target, delta=1.0):
    err = (pred - target).abs()
    return torch.where(err < delta, 0.5 * err**2, delta * (err - 0.5 * delta)).mean()


for epoch in range(80):
    loss = huber(model(X)[:, 0], y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if epoch % 20 == 0:
        print(f"epoch {epoch:2d} huber {loss.item():.4f}")

residual = y - model(X).detach()[:, 0]
r2 = 1 - (residual.var() / y.var()).item()
print("R^2 =", r2)
result = {"r2": r2}
