import random
from collections import deque

import torch
import torch.nn as nn
import torch.nn.functional as F
import copy


class DQN(nn.Module):
    def __init__(self, n_observations, n_actions):
        super().__init__()
        self.layer1 = nn.Linear(n_observations, 24)
        self.layer2 = nn.Linear(24, n_actions)

    def forward(self, x):
        return self.layer2(F.relu(self.layer1(x)))


def env_step(position, action):
    position = position + (0.2 if action == 1 else -0.2) + random.gauss(0, 0.02)
    done = abs(position) > 1
    return position, float(position > 1), done


random.seed(1)
torch.manual_seed(1)
policy_net = DQN(1, 2)
target_net = copy.deepcopy(policy_net)
optimizer = torch.optim.AdamW(policy_net.parameters(), lr=5e-3)
memory = deque(maxlen=400)
position, lags = 0.0, []
for t in range(300):
    explore = random.random() < 0.3
    with torch.no_grad():
        greedy = policy_net(torch.tensor([[position]])).argmax().item()
    action = random.randrange(2) if explore else greedy
    nxt, reward, done = env_step(position, action)
    memory.append((position, action, reward, nxt, done))
    position = 0.0 if done else nxt
    if len(memory) < 32:
        continue
    s, a, r, s2, d = zip(*random.sample(memory, 32))
    q = policy_net(torch.tensor(s)[:, None]).gather(1, torch.tensor(a)[:, None]).squeeze(1)
    with torch.no_grad():
        target = torch.tensor(r) + 0.95 * target_net(torch.tensor(s2)[:, None]).max(1).values * ~torch.tensor(d)
    loss = F.smooth_l1_loss(q, target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if t % 25 == 0:
        lags.append((policy_net.layer1.weight - target_net.layer1.weight).abs().max().item())
        target_net.load_state_dict(policy_net.state_dict())
    if t % 100 == 99:
        print("step", t + 1, "loss", loss.item())
result = {"lag": max(lags)}
