import os

import torch
import torch.distributed as dist
import torch.nn.functional as F


def average_gradients(model):
    size = float(dist.get_world_size())
    for param in model.parameters():
        dist.all_reduce(param.grad.data, op=dist.ReduceOp.SUM)
        param.grad.data /= size


def run(rank, size):
    torch.manual_seed(1000 + rank)
    model = torch.nn.Sequential(torch.nn.Linear(5, 12), torch.nn.Tanh(), torch.nn.Linear(12, 1))
    for param in model.parameters():
        dist.broadcast(param.data, src=0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5)
    inputs = torch.randn(200, 5)
    outputs = inputs.sum(1, keepdim=True)
    for epoch in range(4):
        epoch_loss = 0.0
        for rows in torch.randperm(200).split(25):
            optimizer.zero_grad()
            loss = F.mse_loss(model(inputs[rows]), outputs[rows])
            epoch_loss += loss.item()
            loss.backward()
            average_gradients(model)
            optimizer.step()
        print("Rank ", rank, ", epoch ", epoch, ": ", epoch_loss / 8)
    flat = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
    reference = flat.clone()
    dist.broadcast(reference, src=0)
    worst = (flat - reference).abs().max()
    dist.all_reduce(worst, op=dist.ReduceOp.MAX)
    return {"spread": worst.item()}


if __name__ == "__main__":
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", "0")
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    dist.init_process_group("gloo", rank=rank, world_size=size)
    result = run(rank, size)
    dist.destroy_process_group()
