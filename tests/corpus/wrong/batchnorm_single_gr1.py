import torch
from torch import nn

torch.manual_seed(0)
level = torch.randn(120, 1, 1, 1)
x = 0.5 * torch.randn(120, 3, 8, 8) + level
y = (level.flatten() > 0).long()
net = nn.Sequential(
    nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)
)
opt = torch.optim.SGD(net.parameters(), lr=0.05)
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), shuffle=True)
for epoch in range(3):
    right = 0
    for xb, yb in loader:
        out = net(xb)
        loss = nn.functional.cross_entropy(out, yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
        right += (out.argmax(1) == yb).sum().item()
    print(epoch, right / len(x))
result = {"accuracy": right / len(x)}
