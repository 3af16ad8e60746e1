import torch
from torch import nn
from torch.utils import data

torch.manual_seed(11)


def make_spirals(n_per_class):
    t = torch.rand(n_per_class) * 3 + 0.5
    arms = []
    for k in range(3):
        phi = t * 1.6 + k * 2 * torch.pi / 3 + 0.1 * torch.randn(n_per_class)
        arms.append(torch.stack((t * phi.cos(), t * phi.sin()), dim=1))
    return torch.cat(arms), torch.arange(3).repeat_interleave(n_per_class)


def init_weights(m):
    if type(m) == nn.Linear:
        nn.init.xavier_uniform_(m.weight)


def accuracy(net, X, y):
    with torch.no_grad():
        return (net(X).argmax(dim=1) == y).float().mean().item()


X_train, y_train = make_spirals(200)
X_test, y_test = make_spirals(100)
train_iter = data.DataLoader(data.TensorDataset(X_train, y_train), 30, shuffle=True)
net = nn.Sequential(nn.Linear(2, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 3))
loss = nn.CrossEntropyLoss()
trainer = torch.optim.Adam(net.parameters(), lr=0.01)

for epoch in range(12):
    net.apply(init_weights)
    for X, y in train_iter:
        l = loss(net(X), y)
        trainer.zero_grad()
        l.backward()
        trainer.step()
    print(f"epoch {epoch + 1}, train acc {accuracy(net, X_train, y_train):.3f}")

result = {"accuracy": accuracy(net, X_test, y_test)}
print(f"test acc {result['accuracy']:.3f}")
