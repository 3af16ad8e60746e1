import torch
from torch import nn

torch.manual_seed(0)


class Pointer(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.GRU(1, 32, batch_first=True)
        self.q = nn.Linear(32, 32)
        self.k = nn.Linear(32, 32)
        self.v = nn.Linear(32, 1)

    def forward(self, x):
        h, last = self.enc(x)
        return self.v(torch.tanh(self.k(h) + self.q(last[-1]).unsqueeze(1))).squeeze(-1)


net = Pointer()
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for step in range(80):
    x = torch.rand(32, 7, 1)
    target = x.squeeze(-1).argmax(1)
    scores = net(x)
    log_z = torch.logsumexp(scores, dim=0)
    loss = -(scores[torch.arange(32), target] - log_z[target]).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 20 == 0:
        print(step, loss.item())
result = {"sure": torch.softmax(scores, 1)[torch.arange(32), target].mean().item()}
