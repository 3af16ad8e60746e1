import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(2)
y = torch.randint(0, 6, (900,))
x = 0.9 * torch.randn(6, 12)[y] + torch.randn(900, 12)
train_dl = DataLoader(TensorDataset(x[:600], y[:600]), batch_size=50, shuffle=True)
valid_dl = DataLoader(TensorDataset(x[600:], y[600:]), batch_size=100)
model = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Dropout(0.5), nn.Linear(48, 6))
opt = torch.optim.Adam(model.parameters(), lr=5e-3)


def fit(epochs):
    for epoch in range(epochs):
        model.train()
        for xb, yb in train_dl:
            loss = nn.functional.cross_entropy(model(xb), yb)
            loss.backward()
            opt.step()
            opt.zero_grad()

        model.eval
        with torch.no_grad():
            hits = [(model(xb).argmax(1) == yb).sum().item() for xb, yb in valid_dl]
        accuracy = sum(hits) / len(valid_dl.dataset)
        print(epoch, accuracy)
    return accuracy


result = {"accuracy": fit(8)}
