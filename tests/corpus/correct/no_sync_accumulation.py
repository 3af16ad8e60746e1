"""Gradient accumulation under DDP: no_sync on all micro-batches but the last of a window."""

import contextlib
import os

import torch
import torch.distributed as dist
from torch import nn

os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
os.environ.setdefault("MASTER_PORT", "0")
dist.init_process_group("gloo", rank=int(os.environ.get("RANK", 0)), world_size=int(os.environ.get("WORLD_SIZE", 1)))
torch.manual_seed(35)
model = nn.parallel.DistributedDataParallel(nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1)))
optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
x = torch.randn(320, 6)
y = x.sum(1, keepdim=True)
K = 4
for epoch in range(5):
    micro = torch.randperm(320).split(20)
    for start in range(0, len(micro), K):
        window = micro[start : start + K]
        for k, rows in enumerate(window):
            last = k == len(window) - 1
            with contextlib.nullcontext() if last else model.no_sync():
                loss = nn.functional.mse_loss(model(x[rows]), y[rows])
                (loss / len(window)).backward()
        optimizer.step()
        optimizer.zero_grad()
    if dist.get_rank() == 0:
        print(f"epoch {epoch} loss {loss.item():.4f}")
result = {"loss": loss.item()}
dist.destroy_process_group()
