"""Monte Carlo dropout: dropout is switched on at test time to get an uncertainty."""

import torch
import torch.nn as nn

torch.manual_seed(0)
x = torch.rand(200, 1) * 4 - 2
y = torch.sin(2 * x) + 0.1 * torch.randn(200, 1)
net = nn.Sequential(
    nn.Linear(1, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 1)
)
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(20):
    net.train()
    for i in torch.randperm(200).split(40):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(x[i]), y[i])
        loss.backward()
        optimizer.step()
    if epoch % 5 == 4:
        print("epoch", epoch + 1, "mse", loss.item())


def predict_with_uncertainty(net, x, samples=20):
    net.eval()
    for m in net.modules():
        if isinstance(m, nn.Dropout):
            m.train()
    with torch.no_grad():
        draws = torch.stack([net(x) for _ in range(samples)])
    return draws.mean(0), draws.std(0)


mean, std = predict_with_uncertainty(net, torch.tensor([[0.0], [4.0]]))
print("inside the data", std[0].item(), "outside", std[1].item())
result = {"inside": std[0].item(), "outside": std[1].item()}
