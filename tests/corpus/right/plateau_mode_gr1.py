import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(83)
x = torch.randn(300, 10)
y = x[:, :1] * x[:, 1:2] + 0.1 * torch.randn(300, 1)
train = DataLoader(TensorDataset(x[:200], y[:200]), batch_size=20, shuffle=True)
valid = DataLoader(TensorDataset(x[200:], y[200:]), batch_size=40)
settings = {"mode": "min", "factor": 0.25, "patience": 1}
net = nn.Sequential(nn.Linear(10, 30), nn.ReLU(), nn.Linear(30, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.05)
scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(opt, **settings)


def run(loader, training):
    net.train(training)
    total = 0.0
    with torch.set_grad_enabled(training):
        for a, b in loader:
            loss = nn.functional.mse_loss(net(a), b)
            if training:
                opt.zero_grad()
                loss.backward()
                opt.step()
            total += loss.item() * len(a)
    return total / len(loader.dataset)


for epoch in range(10):
    fitted, held_out = run(train, True), run(valid, False)
    scheduler.step(held_out)
    print(epoch, fitted, held_out)
result = {"rate": opt.param_groups[0]["lr"]}
