"""Pixels labelled 255 are void; one of the classes is rare."""

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(97)
images = torch.randn(120, 1, 8, 8)
masks = (images[:, 0] > 0.3).long()
masks[images[:, 0] > 2.2] = 2
masks[:, 0, :] = 255
net = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, 4, 1))  # a fourth class for later data
opt = torch.optim.Adam(net.parameters(), lr=0.02)
for epoch in range(6):
    for i in torch.randperm(120).split(20):
        loss = F.cross_entropy(net(images[i]), masks[i], ignore_index=255)
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        known = masks != 255
        accuracy = (net(images).argmax(1) == masks)[known].float().mean().item()
    print(f"epoch {epoch} pixel accuracy on the training images {accuracy:.3f}")
result = {"accuracy": accuracy}
