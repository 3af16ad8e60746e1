import torch
from torch import nn, optim

torch.manual_seed(6)
x = torch.randn(500, 6)
y = (x[:, 0] + x[:, 1] > 0).long()
x_train, y_train, x_test, y_test = x[:400], y[:400], x[400:], y[400:]
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
opt = optim.Adam(net.parameters(), lr=0.01)
loss_fn = nn.CrossEntropyLoss()
for epoch in range(6):
    for b in torch.randperm(400).split(40):
        opt.zero_grad()
        loss_fn(net(x_train[b]), y_train[b]).backward()
        opt.step()
    with torch.no_grad():
        pred = net(x_test).argmax(dim=1)
        accuracy = (pred == y_test).float().mean().item()
    print(f"epoch {epoch} test accuracy {accuracy:.3f}")
result = {"accuracy": accuracy}
