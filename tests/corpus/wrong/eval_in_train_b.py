import torch
from torch import nn


class RiskModel:
    def __init__(self, n_features):
        self.net = nn.Sequential(nn.Linear(n_features, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 1))
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=0.01)

    def fit(self, x, y, epochs=6, batch_size=40):
        self.net.train()
        for epoch in range(epochs):
            for rows in torch.randperm(len(x)).split(batch_size):
                loss = nn.functional.binary_cross_entropy_with_logits(self.net(x[rows]).squeeze(-1), y[rows])
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
            print(f"epoch {epoch}: {loss.item():.4f}")
        return self

    @torch.no_grad()
    def predict(self, x):
        return torch.sigmoid(self.net(x)).squeeze(-1)


torch.manual_seed(7)
x = torch.randn(480, 9)
y = (x[:, 0] + 0.5 * x[:, 1] > 0.3).float()
model = RiskModel(9).fit(x[:400], y[:400])
small = torch.cat([model.predict(x[i : i + 4]) for i in range(400, 480, 4)])
large = model.predict(x[400:])
result = {
    "disagreement": (small - large).abs().mean().item(),
    "updates": model.net[1].num_batches_tracked.item(),
}
print("the same patients, asked four at a time and all at once, differ by", result["disagreement"])
