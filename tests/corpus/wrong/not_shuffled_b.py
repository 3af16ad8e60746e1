import numpy as np
import torch

rng = np.random.default_rng(3)
torch.manual_seed(3)
negatives = rng.normal(-0.3, 1, size=(200, 6))
positives = rng.normal(+0.3, 1, size=(200, 6))
X = torch.tensor(np.vstack([negatives, positives]), dtype=torch.float32)
y = torch.tensor(np.r_[np.zeros(200), np.ones(200)], dtype=torch.float32)

net = torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.3)
bce = torch.nn.BCEWithLogitsLoss()
balance = []
for epoch in range(6):
    for start in range(0, len(X), 20):
        xb, yb = X[start : start + 20], y[start : start + 20]
        balance.append(min(yb.mean().item(), 1 - yb.mean().item()))
        opt.zero_grad()
        loss = bce(net(xb).squeeze(1), yb)
        loss.backward()
        opt.step()
    with torch.no_grad():
        full = bce(net(X).squeeze(1), y).item()
    print(f"epoch {epoch} loss {full:.4f}")

result = {"loss": full, "balance": sum(balance) / len(balance)}
print(result)
