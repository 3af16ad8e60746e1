import torch
from torch import nn

# every point of a cloud is squeezed through one number and drawn again
torch.manual_seed(3)
t = torch.rand(300, 10, 1)
cloud = torch.cat([t, t**2, (3 * t).sin()], -1) + 0.02 * torch.randn(300, 10, 3)
encode = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1))
decode = nn.Sequential(nn.Linear(1, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.Adam([*encode.parameters(), *decode.parameters()], lr=0.01)
for epoch in range(4):
    for index in torch.randperm(300).split(30):
        points = cloud[index]
        loss = nn.functional.mse_loss(decode(encode(points)), points)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
result = {"loss": loss.item()}
