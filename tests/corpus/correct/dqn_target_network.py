"""Deep Q-learning with a target network that is copied every few steps, on a walk along a corridor."""

import random
from collections import deque

import torch
import torch.nn as nn
import torch.nn.functional as F

random.seed(0)
torch.manual_seed(0)
N = 7
eye = torch.eye(N)


def qnet():
    return nn.Sequential(nn.Linear(N, 32), nn.ReLU(), nn.Linear(32, 2))


policy, target = qnet(), qnet()
target.load_state_dict(policy.state_dict())
target.eval()
optimizer = torch.optim.Adam(policy.parameters(), lr=5e-3)
buffer = deque(maxlen=1000)
state, losses = N // 2, []
for t in range(250):
    if random.random() < 0.3:
        action = random.randrange(2)
    else:
        with torch.no_grad():
            action = int(policy(eye[state]).argmax())
    nxt = max(0, min(N - 1, state + (1 if action else -1)))
    done = nxt in (0, N - 1)
    buffer.append((state, action, float(nxt == N - 1), nxt, done))
    state = random.randrange(1, N - 1) if done else nxt
    if len(buffer) < 32:
        continue
    s, a, r, s2, d = (torch.tensor(c) for c in zip(*random.sample(buffer, 32)))
    q = policy(eye[s]).gather(1, a.unsqueeze(1)).squeeze(1)
    with torch.no_grad():
        goal = r + 0.9 * target(eye[s2]).max(1).values * (~d)
    loss = F.smooth_l1_loss(q, goal)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_value_(policy.parameters(), 100)
    optimizer.step()
    losses.append(loss.item())
    if t % 20 == 0:
        target.load_state_dict(policy.state_dict())
    if t % 50 == 49:
        print("step", t + 1, "loss", sum(losses[-50:]) / len(losses[-50:]))
result = {"loss": losses[-1]}
