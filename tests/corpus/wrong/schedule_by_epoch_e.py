import torch
from torch import nn

torch.manual_seed(0)
EPOCHS, BATCH = 6, 25
x = torch.randn(400, 3)
y = x.abs().sum(1, keepdim=True)
net = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
# from 0.1 to 0.001 over the whole training
decay = 0.01 ** (1 / (EPOCHS * len(x) // BATCH))
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, decay)
for epoch in range(EPOCHS):
    for batch in torch.randperm(len(x)).split(BATCH):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(x[batch]), y[batch])
        loss.backward()
        optimizer.step()
    scheduler.step()

result = {"last": optimizer.param_groups[0]["lr"]}
