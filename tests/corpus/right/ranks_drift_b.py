import io
import os

import torch
import torch.distributed as dist
from torch import nn


def spread(module):
    flat = nn.utils.parameters_to_vector(module.parameters()).detach()
    all_weights = [torch.zeros_like(flat) for _ in range(dist.get_world_size())]
    dist.all_gather(all_weights, flat)
    return (torch.stack(all_weights).amax(0) - torch.stack(all_weights).amin(0)).max().item()


os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
os.environ.setdefault("MASTER_PORT", "0")
rank = int(os.environ.get("RANK", 0))
world = int(os.environ.get("WORLD_SIZE", 1))
dist.init_process_group("gloo", rank=rank, world_size=world)
torch.manual_seed(1)

pretrained = io.BytesIO()
torch.save(nn.Linear(10, 3).state_dict(), pretrained)
pretrained.seek(0)

net = nn.Linear(10, 3)
model = nn.parallel.DistributedDataParallel(net)
net.load_state_dict(torch.load(pretrained))

torch.manual_seed(100 + rank)
x = torch.randn(240, 10)
y = x[:, :3].argmax(1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(3):
    for i in torch.randperm(240).chunk(8):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[i]), y[i])
        loss.backward()
        optimizer.step()
    if rank == 0:
        print(f"epoch {epoch} loss {loss.item():.4f}")
result = {"spread": spread(net)}
if rank == 0:
    print(result)
dist.destroy_process_group()
