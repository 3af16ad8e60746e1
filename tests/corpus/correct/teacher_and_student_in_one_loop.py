import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(24)
x = torch.randn(400, 8)
y = torch.randint(0, 3, (400,))
x += 2 * torch.eye(8)[y]
teacher, student = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 3)), nn.Linear(8, 3)
for net, epochs in ((teacher, 3), (student, 3)):
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    for epoch in range(epochs):
        for idx in torch.randperm(400).split(40):
            out = net(x[idx])
            loss = F.cross_entropy(out, y[idx])
            if net is student:
                with torch.no_grad():
                    soft = F.softmax(teacher(x[idx]) / 2, 1)
                loss = 0.5 * loss + 0.5 * F.cross_entropy(out / 2, soft) * 4
            opt.zero_grad()
            loss.backward()
            opt.step()
    print(loss.item())
result = {"loss": loss.item()}
