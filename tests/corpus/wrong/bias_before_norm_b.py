import torch
from torch import nn


class MLP(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        layers = []
        for a, b in zip(sizes[:-2], sizes[1:-1]):
            layers += [nn.Linear(a, b), nn.BatchNorm1d(b), nn.GELU()]
        layers.append(nn.Linear(sizes[-2], sizes[-1]))
        self.layers = nn.ModuleList(layers)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


torch.manual_seed(6)
model = MLP([5, 32, 32, 1])
x = torch.randn(320, 5)
y = x.prod(1, keepdim=True)
opt = torch.optim.AdamW(model.parameters(), lr=0.01)
for epoch in range(8):
    for rows in torch.randperm(320).split(40):
        loss = nn.functional.mse_loss(model(x[rows]), y[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(f"epoch {epoch}: {loss.item():.4f}")
bias = model.layers[0].bias
result = {
    "parameters": sum(p.numel() for p in model.parameters()),
    "bias_gradient": bias.grad.abs().max().item() if bias is not None else 0.0,
}
