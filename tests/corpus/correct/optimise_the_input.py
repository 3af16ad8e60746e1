"""The weights are fixed and the picture is trained, as in feature visualisation."""

import torch
from torch import nn

torch.manual_seed(58)
net = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
net.eval()
for p in net.parameters():
    p.requires_grad_(False)
image = (0.1 * torch.randn(1, 1, 12, 12)).requires_grad_(True)
optimizer = torch.optim.Adam([image], lr=0.05)
for step in range(60):
    optimizer.zero_grad()
    activation = net(image)[0, 2]
    smoothness = (image[..., 1:] - image[..., :-1]).abs().mean()
    loss = -activation + 0.1 * smoothness
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        image.clamp_(-1, 1)
    if step % 20 == 0:
        print(step, "activation", activation.item())
result = {"activation": activation.item()}
