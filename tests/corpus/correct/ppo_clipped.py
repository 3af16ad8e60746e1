"""PPO: several epochs over one rollout with the old log-probabilities held fixed."""

import torch
import torch.nn as nn
from torch.distributions import Categorical

torch.manual_seed(31)
actor = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 3))
critic = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))
opt_a = torch.optim.Adam(actor.parameters(), lr=3e-3)
opt_c = torch.optim.Adam(critic.parameters(), lr=1e-2)
for iteration in range(8):
    with torch.no_grad():
        obs = torch.randn(256, 4)
        dist = Categorical(logits=actor(obs))
        act = dist.sample()
        old_logp = dist.log_prob(act)
        reward = (act == obs[:, :3].argmax(1)).float()
        adv = reward - critic(obs).squeeze(1)
        adv = (adv - adv.mean()) / (adv.std() + 1e-8)
    for epoch in range(4):
        for mb in torch.randperm(256).split(64):
            ratio = (Categorical(logits=actor(obs[mb])).log_prob(act[mb]) - old_logp[mb]).exp()
            surrogate = torch.min(ratio * adv[mb], ratio.clamp(0.8, 1.2) * adv[mb]).mean()
            opt_a.zero_grad()
            (-surrogate).backward()
            opt_a.step()
            value_loss = nn.functional.mse_loss(critic(obs[mb]).squeeze(1), reward[mb])
            opt_c.zero_grad()
            value_loss.backward()
            opt_c.step()
    print(f"iteration {iteration}: reward {reward.mean().item():.3f}")
result = {"reward": reward.mean().item()}
