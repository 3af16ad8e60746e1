"""REINFORCE with normalised returns on a two-armed walk."""

import torch
import torch.nn as nn
import torch.optim as optim
from torch.distributions import Categorical

torch.manual_seed(543)


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine1 = nn.Linear(2, 24)
        self.affine2 = nn.Linear(24, 2)
        self.saved_log_probs = []
        self.rewards = []

    def forward(self, x):
        return self.affine2(torch.relu(self.affine1(x))).softmax(dim=1)


policy = Policy()
optimizer = optim.Adam(policy.parameters(), lr=2e-2)
eps = torch.finfo(torch.float32).eps


def select_action(state):
    m = Categorical(policy(state.unsqueeze(0)))
    action = m.sample()
    policy.saved_log_probs.append(m.log_prob(action))
    return action.item()


def finish_episode():
    R, returns = 0.0, []
    for r in policy.rewards[::-1]:
        R = r + 0.7 * R
        returns.insert(0, R)
    returns = torch.tensor(returns)
    returns = (returns - returns.mean()) / (returns.std() + eps)
    policy_loss = [-log_prob * R for log_prob, R in zip(policy.saved_log_probs, returns)]
    optimizer.zero_grad()
    policy_loss = torch.cat(policy_loss).sum()
    policy_loss.backward()
    optimizer.step()
    del policy.rewards[:]
    del policy.saved_log_probs[:]


running_reward = -15.0
for episode in range(40):
    position, velocity, ep_reward = 1.0 if episode % 2 else -1.0, 0.0, 0.0
    for t in range(15):
        action = select_action(torch.tensor([position, velocity]))
        velocity = 0.5 * velocity + (0.2 if action == 1 else -0.1)
        position += velocity
        policy.rewards.append(-abs(position))
        ep_reward -= abs(position)
    running_reward = 0.9 * running_reward + 0.1 * ep_reward
    finish_episode()
    if episode % 10 == 9:
        print(f"Episode {episode + 1}\tLast reward: {ep_reward:.2f}\tAverage reward: {running_reward:.2f}")
result = {"reward": running_reward}
