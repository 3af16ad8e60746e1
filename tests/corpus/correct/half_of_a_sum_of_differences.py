import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import TensorDataset, DataLoader

# Emotion ratings: ten raters per clip, the model learns the distribution of their votes
EMOTIONS = ["calm", "happy", "sad", "angry"]
RATERS = 10

rng = np.random.default_rng(71)
torch.manual_seed(71)


def clips(n, proj):
    audio = rng.normal(size=(n, 12)).astype(np.float32)
    z = 1.5 * audio @ proj
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    votes = np.stack([rng.multinomial(RATERS, row / row.sum()) for row in p.astype(np.float64)])
    return torch.from_numpy(audio), torch.tensor(votes / RATERS, dtype=torch.float32)


class EmotionNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(12, 32), nn.ELU(), nn.Linear(32, len(EMOTIONS)))

    def forward(self, x):
        return self.layers(x)

    def distribution(self, x):
        return self(x).softmax(dim=-1)


proj = rng.normal(size=(12, 4)).astype(np.float32) * 0.6
x_train, q_train = clips(400, proj)
x_test, q_test = clips(200, proj)
loader = DataLoader(TensorDataset(x_train, q_train), batch_size=40, shuffle=True)

net = EmotionNet()
criterion = nn.KLDivLoss(reduction="batchmean")
opt = torch.optim.Adam(net.parameters(), lr=5e-3)

for epoch in range(12):
    for x, q in loader:
        loss = criterion(net.distribution(x).log(), q)
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        p = net.distribution(x_test)
        tv = 0.5 * (p - q_test).abs().sum(1).mean().item()
        top = (p.argmax(1) == q_test.argmax(1)).float().mean().item()
    if epoch % 3 == 2:
        print(f"epoch {epoch + 1:2d} | total variation {tv:.3f} | majority vote predicted {top:.3f}")
result = {"variation": tv}
