"""The value of a random walk on a line of nine places, learned from single steps."""

import torch
from torch import nn

torch.manual_seed(11)
PLACES = 9


class Estimator:
    def __init__(self):
        self.net = nn.Sequential(nn.Linear(PLACES, 24), nn.Tanh(), nn.Linear(24, 1))
        self.lagging = nn.Sequential(nn.Linear(PLACES, 24), nn.Tanh(), nn.Linear(24, 1))
        self.lagging.load_state_dict(self.net.state_dict())
        self.optimizer = torch.optim.RMSprop(self.net.parameters(), lr=4e-3)

    def learn(self, here, reward, there, over):
        with torch.no_grad():
            goal = reward + (1 - over) * self.lagging(there).squeeze(1)
        error = (self.net(here).squeeze(1) - goal).square().mean()
        self.optimizer.zero_grad()
        error.backward()
        self.optimizer.step()
        return error.item()

    def follow(self, share=0.1):
        with torch.no_grad():
            for slow, fast in zip(self.lagging.parameters(), self.net.parameters()):
                slow.lerp_(fast, share)


estimator = Estimator()
eye = torch.eye(PLACES)
for update in range(250):
    here = torch.randint(0, PLACES, (48,))
    there = here + torch.randint(0, 2, (48,)) * 2 - 1
    over = ((there < 0) | (there == PLACES)).float()
    reward = (there == PLACES).float()
    error = estimator.learn(eye[here], reward, eye[there.clamp(0, PLACES - 1)], over)
    estimator.follow()
    if update % 50 == 49:
        print(f"{update + 1}: {error:.4f}")
truth = torch.arange(1, PLACES + 1) / (PLACES + 1)
with torch.no_grad():
    off = (estimator.net(eye).squeeze(1) - truth).abs().mean().item()
result = {"off": off}
