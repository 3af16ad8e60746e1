import torch
from torch import nn

torch.manual_seed(21)
points = torch.randn(240, 2)
ring = (points.norm(dim=1) > 1.1).long()
train_x, train_y, test_x, test_y = points[:160], ring[:160], points[160:], ring[160:]


class Meter:
    def __init__(self):
        self.reset()

    def reset(self):
        self.correct, self.seen = 0, 0

    def update(self, logits, labels):
        self.correct += int((logits.argmax(1) == labels).sum())
        self.seen += len(labels)

    def value(self):
        return self.correct / self.seen


model = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 2))
optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
meter = Meter()
reported = []
for epoch in range(12):
    model.train()
    for rows in torch.randperm(160).split(40):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(train_x[rows]), train_y[rows]).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        for start in range(0, 80, 20):
            meter.update(model(test_x[start : start + 20]), test_y[start : start + 20])
    accuracy = meter.value()
    reported.append(accuracy)
    print(f"{epoch:2d} accuracy {accuracy:.4f}")
result = {"last": reported[-1], "jump": reported[-1] - reported[0]}
