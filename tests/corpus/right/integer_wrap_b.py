import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(5)
torch.manual_seed(5)
shapes = (rng.random((3, 10, 10)) > 0.5).astype(np.uint8) * 150 + 60
label = rng.integers(0, 3, 300)
photos = np.clip(shapes[label] + rng.integers(-20, 20, (300, 10, 10)), 0, 255).astype(np.uint8)
wrapped = []


def brighten(batch):
    """Random gain in brightness, as augmentation."""
    gain = rng.integers(0, 80, size=(len(batch), 1, 1)).astype(np.uint8)
    brighter = np.clip(batch.astype(np.int16) + gain, 0, 255).astype(np.uint8)
    wrapped.append(float((brighter < batch).mean()))
    return brighter


net = nn.Sequential(nn.Flatten(), nn.Linear(100, 16), nn.ReLU(), nn.Linear(16, 3))
opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
for epoch in range(8):
    order = rng.permutation(300)
    for i in range(0, 300, 30):
        pick = order[i : i + 30]
        x = torch.from_numpy(brighten(photos[pick])).float() / 255 - 0.5
        loss = nn.functional.cross_entropy(net(x), torch.from_numpy(label[pick]))
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(f"epoch {epoch}: loss {loss.item():.4f}")
result = {"wrapped": float(np.mean(wrapped)), "loss": loss.item()}
print(result)
