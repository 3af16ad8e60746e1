import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

torch.manual_seed(0)
angles = torch.rand(400) * 6.283
points = torch.stack([angles.cos(), angles.sin(), (2 * angles).cos(), (2 * angles).sin()], 1)

encoder = nn.Sequential(nn.Linear(4, 24), nn.Tanh(), nn.Linear(24, 4))
decoder = nn.Sequential(nn.Linear(2, 24), nn.Tanh(), nn.Linear(24, 4))
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.01)
prior = Normal(torch.zeros(2), torch.ones(2))


def posterior(batch):
    centre, width = encoder(batch).chunk(2, -1)
    return Normal(centre, nn.functional.softplus(width) + 1e-3)


for epoch in range(12):
    for batch in points[torch.randperm(400)].split(50):
        code = posterior(batch)
        guess = decoder(code.sample())
        evidence = -((guess - batch) ** 2).sum(1).mean() - 0.05 * kl_divergence(code, prior).sum(1).mean()
        optimizer.zero_grad()
        (-evidence).backward()
        optimizer.step()
with torch.no_grad():
    error = ((decoder(posterior(points).sample()) - points) ** 2).sum(1).mean().item()
result = {"error": error}
