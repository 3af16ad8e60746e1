import torch
from torch import nn
from torch.utils.data import DataLoader

torch.manual_seed(1)


def collate(samples):
    longest = max(len(s) for s, _ in samples)
    x = torch.zeros(len(samples), longest, 1)
    y = torch.zeros(len(samples), longest)
    mask = torch.zeros(len(samples), longest)
    for i, (s, t) in enumerate(samples):
        x[i, : len(s), 0] = s
        y[i, : len(t)] = t
        mask[i, : len(s)] = 1
    return {"x": x, "y": y, "mask": mask}


data = []
for _ in range(300):
    s = torch.randn(int(torch.randint(4, 30, (1,))))
    data.append((s, s.cumsum(0) * 0.3 + 1.0))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(1, 24, batch_first=True)
        self.out = nn.Linear(24, 1)

    def forward(self, x):
        return self.out(self.rnn(x)[0]).squeeze(-1)


net = Net()
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(5):
    for batch in DataLoader(data, batch_size=20, shuffle=True, collate_fn=collate):
        error = (net(batch["x"]) - batch["y"]) ** 2
        loss = (error * batch["mask"]).sum() / batch["mask"].sum()
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())
test = collate(data[:60])
with torch.no_grad():
    e = (net(test["x"]) - test["y"]) ** 2
result = {"mse": ((e * test["mask"]).sum() / test["mask"].sum()).item()}
