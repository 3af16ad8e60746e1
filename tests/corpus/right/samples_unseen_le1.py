import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(11)
torch.manual_seed(11)
BATCH, EPOCHS = 40, 8


class Readings:
    def __init__(self, count):
        self.inputs = rng.normal(size=(count, 6)).astype("float32")
        weights = np.array([1.5, -2.0, 0.5, 0.0, 1.0, -1.0], "float32")
        self.targets = (np.tanh(self.inputs) @ weights + 0.3 * rng.normal(size=count)).astype("float32")
        self.inputs, self.targets = torch.from_numpy(self.inputs), torch.from_numpy(self.targets)

    def epoch(self):
        order = rng.permutation(len(self.targets))
        for number in range(len(order) // BATCH):
            rows = order[number * BATCH : (number + 1) * BATCH]
            yield self.inputs[rows], self.targets[rows]


train, test = Readings(800), Readings(400)
model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1))
adam = torch.optim.Adam(model.parameters(), lr=0.01)
seen = set()
for _ in range(EPOCHS):
    for x, y in train.epoch():
        seen.update(x[:, 0].tolist())
        loss = nn.functional.mse_loss(model(x)[:, 0], y)
        adam.zero_grad()
        loss.backward()
        adam.step()
with torch.no_grad():
    error = nn.functional.mse_loss(model(test.inputs)[:, 0], test.targets).item()
print(f"test error {error:.4f}, {len(seen)} rows seen")
result = {"error": error, "seen": len(seen)}
