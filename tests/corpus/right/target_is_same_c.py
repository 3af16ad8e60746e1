import torch
import torch.nn.functional as F
from torch import nn


def hard_update(target, source):
    for tp, p in zip(target.parameters(), source.parameters()):
        tp.data.copy_(p.data)


class Critic(nn.Module):
    def __init__(self, n_state, n_action):
        super().__init__()
        self.l1 = nn.Linear(n_state + n_action, 32)
        self.l2 = nn.Linear(32, 1)

    def forward(self, s, a):
        return self.l2(F.relu(self.l1(torch.cat([s, a], 1))))


torch.manual_seed(33)
actor = nn.Sequential(nn.Linear(2, 24), nn.ReLU(), nn.Linear(24, 1), nn.Tanh())
critic, critic_target = Critic(2, 1), Critic(2, 1)
hard_update(critic_target, critic)
actor_opt = torch.optim.Adam(actor.parameters(), lr=2e-3)
critic_opt = torch.optim.Adam(critic.parameters(), lr=4e-3)
lag = 0.0
for it in range(100):
    s = torch.randn(64, 2)
    a = (actor(s) + 0.2 * torch.randn(64, 1)).clamp(-1, 1).detach()
    s2 = 0.7 * s + torch.cat([torch.zeros(64, 1), 0.3 * a], 1)
    r = -s2.pow(2).sum(1, keepdim=True)
    with torch.no_grad():
        y = r + 0.9 * critic_target(s2, actor(s2))
    critic_loss = F.mse_loss(critic(s, a), y)
    critic_opt.zero_grad()
    critic_loss.backward()
    critic_opt.step()
    actor_loss = -critic(s, actor(s)).mean()
    actor_opt.zero_grad()
    actor_loss.backward()
    actor_opt.step()
    lag = max(lag, (critic.l1.weight - critic_target.l1.weight).abs().max().item())
    if it % 20 == 19:
        hard_update(critic_target, critic)
        print(f"iteration {it + 1} critic loss {critic_loss.item():.4f}")
result = {"lag": lag}
