"""Inside an epoch a few batches are enough for a look; the figure that counts takes all of them."""

from itertools import islice

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(93)
x = torch.randn(700, 9)
y = (x[:, 0] > x[:, 1]).long()
train_dl = DataLoader(TensorDataset(x[:480], y[:480]), batch_size=24, shuffle=True)
val_dl = DataLoader(TensorDataset(x[480:], y[480:]), batch_size=32)
model = nn.Sequential(nn.Linear(9, 16), nn.ReLU(), nn.Linear(16, 2))
opt = torch.optim.Adam(model.parameters(), lr=3e-3)


@torch.no_grad()
def accuracy(batches):
    hits = seen = 0
    for xb, yb in batches:
        hits += (model(xb).argmax(1) == yb).sum().item()
        seen += len(yb)
    return hits / seen


for epoch in range(5):
    for step, (xb, yb) in enumerate(train_dl):
        loss = nn.functional.cross_entropy(model(xb), yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
        if step % 10 == 9:
            print(f"epoch {epoch} step {step + 1} quick look {accuracy(islice(val_dl, 2)):.3f}")
result = {"accuracy": accuracy(val_dl)}
print("on all validation rows", result["accuracy"])
