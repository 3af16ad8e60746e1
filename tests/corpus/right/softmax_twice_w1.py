import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Categorical


class AdEnv:
    """Contextual bandit: eight user features, five ads."""

    def __init__(self, seed):
        self.gen = torch.Generator().manual_seed(seed)
        self.pref = torch.randn(8, 5, generator=self.gen)

    def users(self, n):
        return torch.randn(n, 8, generator=self.gen)

    def clicks(self, users, ads):
        p = torch.sigmoid(2 * (users @ self.pref).gather(1, ads[:, None]).squeeze(1) - 2)
        return torch.bernoulli(p, generator=self.gen)

    def best_ads(self, users):
        return (users @ self.pref).argmax(1)


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(8, 32)
        self.out = nn.Linear(32, 5)

    def forward(self, users):
        return self.out(F.relu(self.hidden(users)))


torch.manual_seed(64)
env = AdEnv(64)
policy = Policy()
opt = torch.optim.Adam(policy.parameters(), lr=1e-2)
baseline = 0.0
rates = []

for step in range(1, 151):
    users = env.users(64)
    dist = Categorical(logits=policy(users))
    ads = dist.sample()
    reward = env.clicks(users, ads)
    loss = -((reward - baseline) * dist.log_prob(ads)).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    baseline = 0.9 * baseline + 0.1 * reward.mean().item()
    rates.append(reward.mean().item())
    if step % 30 == 0:
        print(f"step {step:3d} click rate {sum(rates[-30:]) / 30:.3f} entropy {dist.entropy().mean().item():.3f}")

users = env.users(500)
with torch.no_grad():
    choice = policy(users).argmax(1)
policy_entropy = dist.entropy().mean().item()
print(f"best ad chosen for {(choice == env.best_ads(users)).float().mean().item():.3f} of users")
result = {"entropy": policy_entropy}
