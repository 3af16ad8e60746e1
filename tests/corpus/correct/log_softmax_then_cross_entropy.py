"""log_softmax before cross_entropy changes nothing: the log-softmax of a log-softmax is itself."""

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(57)
x = torch.randn(300, 6)
y = x[:, :3].argmax(1)
model = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 3), nn.LogSoftmax(dim=1))
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(6):
    for i in torch.randperm(300).split(30):
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())
result = {"loss": loss.item()}
