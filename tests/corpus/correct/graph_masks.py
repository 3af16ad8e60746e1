import torch
from torch import nn

torch.manual_seed(0)
n = 120
feats, labels = torch.randn(n, 6), torch.randint(0, 3, (n,))
feats[:, 0] += labels
adj = ((torch.rand(n, n) < 0.02) | (labels[:, None] == labels[None]) & (torch.rand(n, n) < 0.1)).float()
adj = adj + adj.t() + torch.eye(n)
adj = adj / adj.sum(1, keepdim=True)
order = torch.randperm(n)
train, val, test = order[:60], order[60:90], order[90:]


class GCN(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 16), nn.Linear(16, 3)

    def forward(self, x):
        return adj @ self.b((adj @ self.a(x)).relu())


net = GCN()
opt = torch.optim.Adam(net.parameters(), lr=0.02)
for epoch in range(20):
    net.train()
    opt.zero_grad()
    out = net(feats)
    loss = nn.functional.cross_entropy(out[train], labels[train])
    loss.backward()
    opt.step()
    net.eval()
    with torch.no_grad():
        guess = net(feats).argmax(1)
        both = torch.cat([train, val])
        parts = [(guess[p] == labels[p]).float().mean().item() for p in (train, val, both)]
print(parts)
with torch.no_grad():
    print("test", (net(feats)[test].argmax(1) == labels[test]).float().mean().item())
result = {"train": parts[0]}
