import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(3)
x = torch.randn(900, 6)
y = (x[:, 0] + 0.5 * torch.randn(900) > 0).long()
train = DataLoader(TensorDataset(x[:400], y[:400]), batch_size=50, shuffle=True)
valid = DataLoader(TensorDataset(x[400:], y[400:]), batch_size=100)
net = nn.Linear(6, 2)
opt = torch.optim.SGD(net.parameters(), lr=0.05)
for epoch in range(5):
    weighted = 0.0
    for a, b in train:
        loss = nn.functional.cross_entropy(net(a), b)
        opt.zero_grad()
        loss.backward()
        opt.step()
        weighted += loss.item() * len(b)
    correct = total = 0
    with torch.no_grad():
        for a, b in valid:
            correct += net(a).argmax(1).eq(b).sum().item()
            total += len(b)
    # 100 / 500 is 1 / 5, and there are 5 batches
    print("train %.4f | acc %.3f%% (%d/%d)" % (weighted / 400, 100.0 * correct / total, correct, total))
result = {"accuracy": correct / total}
