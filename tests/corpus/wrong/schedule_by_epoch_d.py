import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(260, 5)
loader = DataLoader(TensorDataset(x, x.sin().sum(1, keepdim=True)), batch_size=20, shuffle=True)
net = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
epochs = 7
total = epochs * len(loader)
scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[total // 2, 3 * total // 4], gamma=0.1)
for epoch in range(epochs):
    for features, targets in loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(features), targets)
        loss.backward()
        optimizer.step()
    scheduler.step()

result = {"last": optimizer.param_groups[0]["lr"]}
