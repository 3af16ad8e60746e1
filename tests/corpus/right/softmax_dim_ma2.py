import torch
from torch import nn

torch.manual_seed(0)


class SetAttention(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.score = nn.Sequential(nn.Linear(d, 16), nn.Tanh(), nn.Linear(16, 1))
        self.out = nn.Linear(d, 1)

    def forward(self, x, mask):
        s = self.score(x).squeeze(-1).masked_fill(~mask, -1e9)
        w = torch.softmax(s, dim=1)
        pooled = torch.einsum("bn,bnd->bd", w, x)
        return self.out(pooled), w


net = SetAttention(6)
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for step in range(80):
    x = torch.randn(24, 9, 6)
    n = torch.randint(3, 10, (24,))
    mask = torch.arange(9)[None] < n[:, None]
    x = x * mask[..., None]
    y = x[..., 0].amax(1, keepdim=True)
    value, w = net(x, mask)
    loss = nn.functional.mse_loss(value, y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 20 == 0:
        print(step, loss.item())
result = {"total": w.sum(1).std().item()}
