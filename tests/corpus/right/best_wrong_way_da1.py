import copy
import heapq

import torch
from torch import nn

torch.manual_seed(5)
points = torch.rand(260, 4) * 2 - 1
heights = (points**2).sum(1, keepdim=True) + 0.05 * torch.randn(260, 1)
fit_x, fit_y, held_x, held_y = points[:160], heights[:160], points[160:], heights[160:]
surface = nn.Sequential(nn.Linear(4, 24), nn.Tanh(), nn.Linear(24, 1))
adam = torch.optim.Adam(surface.parameters(), lr=0.01)
mse = nn.MSELoss()


@torch.no_grad()
def held_out():
    return mse(surface(held_x), held_y).item()


top = []  # the three best so far
for epoch in range(10):
    for i in torch.randperm(160).split(32):
        adam.zero_grad()
        mse(surface(fit_x[i]), fit_y[i]).backward()
        adam.step()
    entry = (-held_out(), epoch, copy.deepcopy(surface.state_dict()))
    heapq.heappush(top, entry)
    if len(top) > 3:
        heapq.heappop(top)
for score, epoch, _ in sorted(top, key=lambda each: each[1]):
    print(f"kept epoch {epoch} with {abs(score):.4f}")
surface.load_state_dict(max(top)[2])
result = {"error": held_out()}
