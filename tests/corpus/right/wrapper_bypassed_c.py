import os

import torch
import torch.distributed as dist
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.out = nn.Linear(6, 12), nn.Linear(12, 1)

    def loss(self, x, y):
        return (self.out(torch.tanh(self.hidden(x))) - y).square().mean()

    def forward(self, x, y):
        return self.loss(x, y)


def spread(model):
    flat = torch.cat([p.detach().flatten() for p in model.parameters()])
    low, high = flat.clone(), flat.clone()
    dist.all_reduce(low, dist.ReduceOp.MIN)
    dist.all_reduce(high, dist.ReduceOp.MAX)
    return (high - low).max().item()


os.environ.setdefault("MASTER_ADDR", "localhost")
os.environ.setdefault("MASTER_PORT", "0")
rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
dist.init_process_group("gloo", rank=rank, world_size=world)
torch.manual_seed(0)
model = nn.parallel.DistributedDataParallel(Net())
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
x = torch.randn(200, 6)
y = x.sum(1, keepdim=True)
x, y = x[rank::world], y[rank::world]
for step in range(30):
    batch = torch.randint(0, len(x), (16,))
    loss = model(x[batch], y[batch])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

result = {"spread": spread(model)}
dist.destroy_process_group()
