import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(0)


class Windows(Dataset):
    def __init__(self, series, past, future):
        self.series, self.past, self.future = series, past, future

    def __len__(self):
        return len(self.series) - self.past - self.future + 1

    def __getitem__(self, i):
        mid = i + self.past
        return self.series[i:mid], self.series[mid : mid + self.future]


s = torch.sin(torch.arange(300) / 7.0) + 0.1 * torch.randn(300)
train = DataLoader(Windows(s[:220], 10, 2), batch_size=32, shuffle=True)
test = DataLoader(Windows(s[220:], 10, 2), batch_size=32)
net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 2))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(10):
    for x, y in train:
        opt.zero_grad()
        loss = nn.functional.mse_loss(net(x), y)
        loss.backward()
        opt.step()
    with torch.no_grad():
        tot = cnt = 0
        for x, y in test:
            tot += nn.functional.mse_loss(net(x), y, reduction="sum").item()
            cnt += y.numel()
    print(epoch, tot / cnt)
result = {"count": cnt}
