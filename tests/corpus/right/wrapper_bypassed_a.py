"""Run with torchrun --nproc-per-node 2, or alone."""

import os

import torch
import torch.distributed as dist
import torch.nn as nn
from torch.nn.parallel import DistributedDataParallel as DDP

rank, world_size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
os.environ.setdefault("MASTER_PORT", "0")
dist.init_process_group("gloo", rank=rank, world_size=world_size)

torch.manual_seed(0)
x = torch.randn(320, 6)
y = (x[:, 0] > x[:, 1]).long()
x, y = x[rank::world_size], y[rank::world_size]

model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
ddp_model = DDP(model)
optimizer = torch.optim.SGD(ddp_model.parameters(), lr=0.1)
loss_fn = nn.CrossEntropyLoss()
for epoch in range(3):
    for idx in torch.randperm(len(x)).split(20):
        optimizer.zero_grad()
        loss = loss_fn(ddp_model(x[idx]), y[idx])
        loss.backward()
        optimizer.step()
    if rank == 0:
        print(f"epoch {epoch} loss {loss.item():.4f}")

weights = nn.utils.parameters_to_vector(model.parameters()).detach()
everyone = [torch.empty_like(weights) for _ in range(world_size)]
dist.all_gather(everyone, weights)
result = {"spread": max((w - weights).abs().max().item() for w in everyone)}
if rank == 0:
    print("largest difference between the ranks' weights:", result["spread"])
dist.destroy_process_group()
