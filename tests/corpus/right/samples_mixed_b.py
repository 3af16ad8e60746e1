import torch
from torch import nn

torch.manual_seed(8)
B, T, F = 40, 6, 4


def batch():
    x = torch.randn(B, T, F)
    return x, x[..., 0].cumsum(1)[:, -1]


gru = nn.GRU(F, 24)
readout = nn.Linear(24, 1)
opt = torch.optim.Adam([*gru.parameters(), *readout.parameters()], lr=0.01)
losses = []
for it in range(120):
    x, y = batch()
    time_major = x.permute(1, 0, 2)
    _, h = gru(time_major)
    loss = nn.functional.mse_loss(readout(h[-1]).squeeze(-1), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    losses.append(loss.item())
    if it % 40 == 39:
        print("iter {:4d}: {:.4f}".format(it + 1, sum(losses[-20:]) / 20))

result = {"loss": sum(losses[-20:]) / 20}
