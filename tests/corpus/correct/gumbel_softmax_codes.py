"""Discrete codes with hard Gumbel-softmax samples: a softmax in the middle, logits at the end."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(107)
enc, dec = nn.Linear(10, 6), nn.Linear(6, 10)
opt = torch.optim.Adam([*enc.parameters(), *dec.parameters()], lr=0.02)
patterns = (torch.rand(6, 10) > 0.5).float()
x = patterns[torch.randint(0, 6, (400,))]
for epoch in range(8):
    tau = max(0.5, 1.0 - 0.1 * epoch)
    for i in torch.randperm(400).split(40):
        code = F.gumbel_softmax(enc(x[i]), tau=tau, hard=True)
        loss = F.binary_cross_entropy_with_logits(dec(code), x[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(f"epoch {epoch} loss {loss.item():.4f} tau {tau:.1f}")
result = {"loss": loss.item()}
