import numpy as np
import torch
from torch import nn


class Data:
    def __init__(self, seed):
        rng = np.random.RandomState(seed)
        self.centres = rng.randn(4, 6) * 2
        self.rng = rng

    def sample(self, n):
        labels = self.rng.randint(0, 4, size=n)
        points = self.centres[labels] + self.rng.randn(n, 6)
        return points.astype("float32"), labels

    def shuffled(self, points, labels):
        a = b = self.rng.permutation(len(points))
        return points[a], labels[b]


torch.manual_seed(0)
data = Data(0)
points, labels = data.sample(400)
test_points, test_labels = data.sample(200)
model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(6):
    points, labels = data.shuffled(points, labels)
    for start in range(0, 400, 40):
        x = torch.tensor(points[start : start + 40])
        y = torch.tensor(labels[start : start + 40])
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        acc = (model(torch.tensor(test_points)).argmax(1) == torch.tensor(test_labels)).float().mean().item()
    print(epoch, acc)
result = {"accuracy": acc}
