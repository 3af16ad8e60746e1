"""An autoencoder with a sparse code: the cost of the code is asked of a function that runs without gradients."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(5)
parts = torch.rand(6, 20)
data = torch.rand(160, 6).pow(3) @ parts
encode = nn.Sequential(nn.Linear(20, 32), nn.ReLU())
decode = nn.Linear(32, 20)
optimizer = torch.optim.Adam([*encode.parameters(), *decode.parameters()], lr=0.01)


def sparsity(code):
    return code.abs().mean()


for epoch in range(12):
    for batch in data[torch.randperm(160)].split(32):
        code = encode(batch)
        loss = F.mse_loss(decode(code), batch)
        loss += 0.3 * sparsity(code)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
with torch.no_grad():
    active = encode(data).mean().item()
print("mean activity", active)
result = {"active": active}
