"""Bright rings to be marked in noisy pictures, which are rolled and turned upside down at random in training."""

import torch
import torch.nn.functional as F
from torch import nn

generator = torch.Generator().manual_seed(3)
torch.manual_seed(3)
SIZE = 20
rows, columns = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")


def ring():
    centre = torch.randint(6, 14, (2,))
    far = ((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2).float().sqrt()
    mark = ((far > 2) & (far < 5) & (rows < centre[0] + 3)).float()
    return 0.6 * mark + 0.15 * torch.randn(SIZE, SIZE), mark


pictures, marks = (torch.stack(each).unsqueeze(1) for each in zip(*[ring() for _ in range(120)], strict=True))


def augment(*images):
    """All images of one call are moved alike."""
    lengths = torch.randint(-5, 6, (2,), generator=generator).tolist()
    over = bool(torch.rand(1, generator=generator) < 0.5)
    moved = [image.roll(lengths, dims=(1, 2)) for image in images]
    return [image.flip(1) if over else image for image in moved]


def batch(places):
    pairs = [(*augment(pictures[place]), *augment(marks[place])) for place in places]
    return [torch.stack(each) for each in zip(*pairs, strict=True)]


net = nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.Conv2d(6, 1, 3, padding=1))
optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
for epoch in range(6):
    for places in torch.randperm(96).split(16):
        picture, mark = batch(places.tolist())
        loss = F.binary_cross_entropy_with_logits(net(picture), mark)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.inference_mode():
        held_out = F.binary_cross_entropy_with_logits(net(pictures[96:]), marks[96:]).item()
    print(epoch, round(held_out, 3))
result = {"loss": held_out}
