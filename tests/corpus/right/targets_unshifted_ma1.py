import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(0)


class Events(Dataset):
    def __init__(self, seq, window=8):
        self.seq, self.window = seq, window

    def __len__(self):
        return len(self.seq) - self.window

    def __getitem__(self, i):
        past = self.seq[i : i + self.window]
        nxt = self.seq[i + self.window]
        return past, nxt


seq = [0, 1]
g = torch.Generator().manual_seed(0)
for _ in range(600):
    noise = int(torch.randint(0, 3, (1,), generator=g))
    seq.append((seq[-1] * 2 + seq[-2] + noise) % 10)
seq = torch.tensor(seq)
loader = DataLoader(Events(seq[:500]), batch_size=32, shuffle=True)
test = DataLoader(Events(seq[500:]), batch_size=32)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(10, 16)
        self.rnn = nn.GRU(16, 32, batch_first=True)
        self.out = nn.Linear(32, 10)

    def forward(self, x):
        h, _ = self.rnn(self.emb(x))
        return self.out(h[:, -1])


net = Model()
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(6):
    for x, y in loader:
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        opt.step()
    print(epoch, loss.item())
with torch.no_grad():
    hit = sum((net(x).argmax(1) == y).sum().item() for x, y in test)
print(f"{hit} of {len(test.dataset)} right")
result = {"accuracy": hit / len(test.dataset)}
