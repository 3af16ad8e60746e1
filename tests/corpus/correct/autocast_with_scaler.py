"""Mixed precision on the CPU with a scaler; unscaled before clipping, as the manual says."""

import torch
from torch import nn

torch.manual_seed(20)
x = torch.randn(320, 10)
y = (x[:, 0].sin() + x[:, 1] > 0).long()
net = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 2))
opt = torch.optim.AdamW(net.parameters(), lr=5e-3)
scaler = torch.amp.GradScaler("cpu")
for epoch in range(5):
    for i in torch.randperm(320).split(40):
        opt.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = nn.functional.cross_entropy(net(x[i]), y[i])
        scaler.scale(loss).backward()
        scaler.unscale_(opt)
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        scaler.step(opt)
        scaler.update()
    print(f"epoch {epoch} loss {loss.item():.4f} scale {scaler.get_scale():.0f}")
result = {"loss": loss.item()}
