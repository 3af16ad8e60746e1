"""Truncated backpropagation: the hidden state goes on, its history is cut."""

import torch
from torch import nn

torch.manual_seed(4)
signal = torch.sin(torch.arange(1201) * 0.15) * torch.sin(torch.arange(1201) * 0.031)
streams = signal[:1200].view(4, 300), signal[1:1201].view(4, 300)
cell, out = nn.GRU(1, 16, batch_first=True), nn.Linear(16, 1)
opt = torch.optim.Adam([*cell.parameters(), *out.parameters()], lr=5e-3)
for epoch in range(3):
    h = None
    losses = []
    for t in range(0, 300, 20):
        x, y = streams[0][:, t : t + 20, None], streams[1][:, t : t + 20, None]
        z, h = cell(x, h)
        loss = nn.functional.mse_loss(out(z), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        h = h.detach()
        losses.append(loss.item())
    print(f"epoch {epoch}: {sum(losses) / len(losses):.5f}")
result = {"loss": sum(losses) / len(losses)}
