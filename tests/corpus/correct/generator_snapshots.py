"""A generator with batch norm draws the same eight noises after each epoch, in train mode as it always runs, to be seen."""

import torch
from torch import nn

torch.manual_seed(31)
angle = torch.rand(256, 1) * 6.28
ring = torch.cat([angle.cos(), angle.sin()], dim=1) + 0.05 * torch.randn(256, 2)
gen = nn.Sequential(nn.Linear(4, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Linear(24, 2))
critic = nn.Sequential(nn.Linear(2, 24), nn.LeakyReLU(0.2), nn.Linear(24, 1))
gen_opt = torch.optim.Adam(gen.parameters(), lr=2e-3, betas=(0.5, 0.999))
critic_opt = torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.5, 0.999))
bce = nn.BCEWithLogitsLoss()
shown = torch.randn(8, 4)
frames = []
for epoch in range(3):
    for real in ring[torch.randperm(256)].split(32):
        fake = gen(torch.randn(32, 4))
        critic_opt.zero_grad()
        (bce(critic(real), torch.ones(32, 1)) + bce(critic(fake.detach()), torch.zeros(32, 1))).backward()
        critic_opt.step()
        gen_opt.zero_grad()
        bce(critic(fake), torch.ones(32, 1)).backward()
        gen_opt.step()
    with torch.no_grad():
        picture = gen(shown).clamp(-2, 2).div(4).add(0.5)
    frames.append(picture.mul(255).round().int().tolist())
    print(f"epoch {epoch} first point {frames[-1][0]}")
result = {"frames": len(frames)}
