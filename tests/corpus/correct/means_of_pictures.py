import torch
from torch import nn

torch.manual_seed(0)
rings = torch.randn(256, 2)
rings = rings / rings.norm(dim=1, keepdim=True) + 0.05 * torch.randn(256, 2)
painter = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))
judge = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
painting = torch.optim.Adam(painter.parameters(), lr=2e-3, betas=(0.5, 0.999))
judging = torch.optim.Adam(judge.parameters(), lr=2e-3, betas=(0.5, 0.999))
same = torch.randn(64, 4)
for epoch in range(6):
    for real in rings[torch.randperm(256)].split(64):
        fake = painter(torch.randn(64, 4))
        loss = nn.functional.softplus(-judge(real)).mean() + nn.functional.softplus(judge(fake.detach())).mean()
        judging.zero_grad()
        loss.backward()
        judging.step()
        loss = nn.functional.softplus(-judge(fake)).mean()
        painting.zero_grad()
        loss.backward()
        painting.step()
    with torch.no_grad():  # as it paints in training, and seen from afar
        shown = painter(same)
        apart = (shown.mean(0) - rings.mean(0)).abs().mean().item()
    print(epoch, apart)
result = {"apart": apart}
