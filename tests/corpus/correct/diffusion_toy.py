"""DDPM in two dimensions; each step draws fresh times and fresh noise."""

import torch
from torch import nn

torch.manual_seed(46)
STEPS = 40
beta = torch.linspace(1e-4, 0.1, STEPS)
alpha_bar = torch.cumprod(1 - beta, 0)


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.time = nn.Embedding(STEPS, 16)
        self.net = nn.Sequential(nn.Linear(18, 48), nn.SiLU(), nn.Linear(48, 2))

    def forward(self, x, t):
        return self.net(torch.cat([x, self.time(t)], dim=1))


angle = torch.rand(512) * 6.283
circle = torch.stack([angle.cos(), angle.sin()], 1)
model = Denoiser()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(20):
    losses = []
    for i in torch.randperm(512).split(64):
        t = torch.randint(0, STEPS, (len(i),))
        noise = torch.randn(len(i), 2)
        a = alpha_bar[t].unsqueeze(1)
        noisy = a.sqrt() * circle[i] + (1 - a).sqrt() * noise
        loss = (model(noisy, t) - noise).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1} loss {sum(losses) / len(losses):.4f}")
with torch.no_grad():
    x = torch.randn(100, 2)
    for k in reversed(range(STEPS)):
        eps = model(x, torch.full((100,), k))
        x = (x - beta[k] / (1 - alpha_bar[k]).sqrt() * eps) / (1 - beta[k]).sqrt()
        if k:
            x += beta[k].sqrt() * torch.randn_like(x)
result = {"loss": sum(losses) / len(losses), "radius": x.norm(dim=1).mean().item()}
print(result)
