"""Several softmaxes are mixed; the log is taken of the mixture before the NLL."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(83)


class MoS(nn.Module):
    def __init__(self, d, classes, k=3):
        super().__init__()
        self.prior, self.latent, self.out = nn.Linear(d, k), nn.Linear(d, 16 * k), nn.Linear(16, classes)
        self.k = k

    def forward(self, x):
        pi = F.softmax(self.prior(x), -1)
        h = torch.tanh(self.latent(x)).view(-1, self.k, 16)
        p = F.softmax(self.out(h), -1)
        return torch.einsum("bk,bkc->bc", pi, p).clamp_min(1e-8).log()


x = torch.randn(400, 6)
y = (x[:, 0] > 0).long() + 2 * (x[:, 1] > 0).long()
model = MoS(6, 4)
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(8):
    for i in torch.randperm(400).split(40):
        loss = F.nll_loss(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())
result = {"loss": loss.item()}
