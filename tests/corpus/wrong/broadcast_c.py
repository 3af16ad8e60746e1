import random
from collections import deque, namedtuple

import torch
import torch.nn as nn
import torch.nn.functional as F

Transition = namedtuple("Transition", ("state", "action", "next_state", "reward"))
N = 6  # a corridor of six cells; the right end pays


def one_hot(s):
    return F.one_hot(torch.tensor(s), N).float()


random.seed(0)
torch.manual_seed(0)
memory = deque(maxlen=500)
for _ in range(500):
    s, a = random.randrange(N), random.randrange(2)
    s2 = min(N - 1, s + 1) if a == 1 else max(0, s - 1)
    memory.append(Transition(one_hot(s), a, one_hot(s2), float(s2 == N - 1)))

policy_net, target_net = nn.Linear(N, 2), nn.Linear(N, 2)
target_net.load_state_dict(policy_net.state_dict())
optimizer = torch.optim.Adam(policy_net.parameters(), lr=0.02)
GAMMA, BATCH = 0.8, 32

for i in range(300):
    batch = Transition(*zip(*random.sample(memory, BATCH)))
    state_batch, next_batch = torch.stack(batch.state), torch.stack(batch.next_state)
    action_batch, reward_batch = torch.tensor(batch.action).unsqueeze(1), torch.tensor(batch.reward)
    state_action_values = policy_net(state_batch).gather(1, action_batch)
    with torch.no_grad():
        next_values = target_net(next_batch).max(1).values
        expected = reward_batch + GAMMA * next_values
    loss = F.smooth_l1_loss(state_action_values, expected)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if i % 20 == 0:
        target_net.load_state_dict(policy_net.state_dict())
    if i % 100 == 0:
        print(f"update {i} loss {loss.item():.4f}")

exact = torch.tensor([GAMMA ** (N - 2 - s) / (1 - GAMMA) for s in range(N - 1)])
learned = policy_net(torch.eye(N)).max(1).values[:-1]
result = {"error": (learned - exact).abs().mean().item()}
print(result)
