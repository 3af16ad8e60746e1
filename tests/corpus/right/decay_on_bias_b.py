import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc = nn.Linear(width, width)

    def forward(self, x):
        return x + torch.relu(self.fc(self.norm(x)))


class Regressor(nn.Module):
    def __init__(self, n_in, width=16):
        super().__init__()
        self.embed = nn.Linear(n_in, width)
        self.blocks = nn.Sequential(Block(width), Block(width))
        self.head = nn.Linear(width, 1)

    def forward(self, x):
        return self.head(self.blocks(self.embed(x)))


torch.manual_seed(13)
x = torch.randn(200, 4)
y = 5 + 0.2 * x[:, :1]
model = Regressor(4)
weights = [p for n, p in model.named_parameters() if n.endswith("weight") and "norm" not in n]
others = [p for n, p in model.named_parameters() if not (n.endswith("weight") and "norm" not in n)]
optimizer = torch.optim.AdamW([{"params": weights}, {"params": others, "weight_decay": 0.0}], lr=0.05, weight_decay=1.0)
for epoch in range(12):
    for rows in torch.randperm(200).split(20):
        loss = nn.functional.mse_loss(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 4 == 3:
        print(f"epoch {epoch + 1}: mse {loss.item():.5f}")
result = {"scale": model.blocks[0].norm.weight.mean().item()}
