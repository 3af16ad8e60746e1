import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(240, 8)
y = (x[:, 0] > 0).long()
encoder = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 6))
decoder, probe = nn.Linear(3, 8), nn.Linear(3, 2)
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters(), *probe.parameters()], lr=1e-2)
for epoch in range(4):
    for rows in torch.randperm(240).split(40):
        mean, spread = encoder(x[rows]).chunk(2, 1)
        code = mean + (spread / 2).exp() * torch.randn_like(mean)
        rebuilt = (decoder(code) - x[rows]).square().sum(1).mean()
        prior = 0.5 * (mean.square() + spread.exp() - spread - 1).sum(1).mean()
        read_out = nn.functional.cross_entropy(probe(code.detach()), y[rows])  # the probe must not steer the code
        optimizer.zero_grad()
        (rebuilt + 0.1 * prior + read_out).backward()
        optimizer.step()

# a policy whose drawn actions are judged by a critic, which must not move it
policy, critic = nn.Linear(4, 2), nn.Linear(5, 1)
learner = torch.optim.Adam([*policy.parameters(), *critic.parameters()], lr=1e-2)
for step in range(40):
    state = torch.randn(32, 4)
    mean, log_spread = policy(state).chunk(2, 1)
    action = mean + log_spread.exp() * torch.randn_like(mean)
    reward = -(action.detach() - state[:, :1]).square()
    value = critic(torch.cat([state, action.detach()], 1))
    chance = -0.5 * ((action.detach() - mean) / log_spread.exp()).square() - log_spread
    advantage = (reward - value).detach()
    loss = (value - reward).square().mean() - (chance * advantage).mean() - 0.01 * log_spread.mean()
    learner.zero_grad()
    loss.backward()
    learner.step()
print("last loss", loss.item())
result = {"loss": loss.item()}
