import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

torch.manual_seed(0)
data = []
for _ in range(120):
    n = int(torch.randint(3, 12, (1,)))
    s = torch.randint(1, 20, (n,))
    data.append((s, (s % 3 == 0).long()))


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(20, 16, padding_idx=0)
        self.rnn = nn.GRU(16, 24, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(48, 2)

    def forward(self, x):
        return self.fc(self.rnn(self.emb(x))[0])


net = Tagger()
opt = torch.optim.Adam(net.parameters(), lr=0.01)
loss_fn = nn.CrossEntropyLoss(ignore_index=-1)


def batches(rows):
    for i in range(0, len(rows), 20):
        part = rows[i : i + 20]
        yield (
            pad_sequence([a for a, _ in part], batch_first=True),
            pad_sequence([b for _, b in part], batch_first=True, padding_value=-1),
        )


for epoch in range(6):
    for x, y in batches(data[:80]):
        opt.zero_grad()
        loss_fn(net(x).transpose(1, 2), y).backward()
        opt.step()
    right = total = 0
    with torch.no_grad():
        for x, y in batches(data[80:]):
            mask = y != -1
            pred = net(x).argmax(-1)
            right += ((pred == y) & mask).sum().item()
            total += mask.sum().item()
    print(epoch, "acc", right / total)
result = {"accuracy": right / total}
