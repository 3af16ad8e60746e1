import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
prior = torch.tensor([0.75, 0.15, 0.05, 0.05])
y = torch.multinomial(prior, 1000, replacement=True)
x = torch.randn(4, 5)[y] + 1.5 * torch.randn(1000, 5)
dl = DataLoader(TensorDataset(x[:800], y[:800]), batch_size=32, shuffle=True)

net = nn.Sequential(nn.Linear(5, 20), nn.ReLU(), nn.Linear(20, 4))
log_softmax = nn.LogSoftmax(dim=0)
nll = nn.NLLLoss()
optim = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(8):
    for xb, yb in dl:
        loss = nll(log_softmax(net(xb)), yb)
        optim.zero_grad()
        loss.backward()
        optim.step()
    print("epoch", epoch, "loss", loss.item())

with torch.no_grad():
    accuracy = (net(x[800:]).argmax(1) == y[800:]).float().mean().item()
print("test accuracy", accuracy)
result = {"accuracy": accuracy}
