"""A2C with detached advantages; actor and critic share a body and one optimizer."""

import torch
from torch import nn
from torch.distributions import Normal


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(1, 32), nn.Tanh())
        self.mu = nn.Linear(32, 1)
        self.value = nn.Linear(32, 1)
        self.log_std = nn.Parameter(torch.zeros(1))

    def forward(self, obs):
        h = self.body(obs)
        return Normal(self.mu(h), self.log_std.exp()), self.value(h).squeeze(-1)


torch.manual_seed(21)
net = ActorCritic()
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for update in range(80):
    obs = torch.rand(64, 1) * 2 - 1
    dist, value = net(obs)
    action = dist.sample()
    reward = -((action - torch.sin(3 * obs)) ** 2).squeeze(-1)
    advantage = reward - value
    policy_loss = -(dist.log_prob(action).squeeze(-1) * advantage.detach()).mean()
    value_loss = advantage.pow(2).mean()
    entropy = dist.entropy().mean()
    loss = policy_loss + 0.5 * value_loss - 0.01 * entropy
    opt.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 0.5)
    opt.step()
    if update % 20 == 19:
        print(f"update {update + 1} reward {reward.mean().item():.3f}")
result = {"reward": reward.mean().item()}
