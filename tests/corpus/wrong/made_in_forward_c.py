import torch
import torch.nn as nn


class Encoder(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.n_hidden = n_hidden
        self.inp = nn.Linear(n_in, n_hidden)
        self.out = nn.Linear(n_hidden, n_out)

    def forward(self, x):
        h = nn.BatchNorm1d(self.n_hidden)(self.inp(x))
        return self.out(torch.relu(h))


torch.manual_seed(11)
x = torch.randn(420, 8)
y = (x[:, 0] > x[:, 1]).long()
net = Encoder(8, 16, 2)
opt = torch.optim.Adam(net.parameters(), lr=0.01)
net.train()
for epoch in range(6):
    for rows in torch.randperm(360).split(40):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
        loss.backward()
        opt.step()
    print("epoch", epoch, loss.item())
net.eval()
with torch.no_grad():
    together = net(x[360:]).softmax(1)
    in_fives = torch.cat([net(part).softmax(1) for part in x[360:].split(5)])
result = {"disagreement": (together - in_fives).abs().mean().item()}
print("answers depend on the company by", result["disagreement"])
