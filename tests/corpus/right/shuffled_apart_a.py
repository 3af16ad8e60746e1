import torch
from torch import nn

torch.manual_seed(0)
k = 5
anchors = 2 * torch.randn(k, 10)
y_all = torch.randint(0, k, (600,))
x_all = anchors[y_all] + torch.randn(600, 10)
x_train, y_train, x_test, y_test = x_all[:500], y_all[:500], x_all[500:], y_all[500:]

net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, k))
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(6):
    perm = torch.randperm(500)
    x_train = x_train[perm]
    y_train = y_train[perm]
    for i in range(0, 500, 50):
        loss = nn.functional.cross_entropy(net(x_train[i : i + 50]), y_train[i : i + 50])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print("epoch", epoch, "loss", loss.item())

with torch.no_grad():
    accuracy = (net(x_test).argmax(1) == y_test).float().mean().item()
result = {"accuracy": accuracy}
print("accuracy", accuracy)
