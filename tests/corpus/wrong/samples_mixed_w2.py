import random
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

random.seed(50)
torch.manual_seed(50)
VOCAB = 30


def sentence():
    label = random.randint(0, 1)
    n = random.randint(5, 12)
    toks = [random.randint(4, VOCAB - 1) for _ in range(n)]
    i, j = sorted(random.sample(range(n), 2))
    toks[i], toks[j] = (2, 3) if label else (3, 2)
    return torch.tensor(toks), label


def batches(items, size, shuffle):
    items = random.sample(items, len(items)) if shuffle else items
    for k in range(0, len(items), size):
        part = items[k : k + size]
        lengths = torch.tensor([len(s) for s, _ in part])
        yield pad_sequence([s for s, _ in part], batch_first=True), lengths, torch.tensor([l for _, l in part])


class BiLSTM(nn.Module):
    def __init__(self, emb=16, hid=20, classes=2):
        super().__init__()
        self.emb = nn.Embedding(VOCAB, emb, padding_idx=0)
        self.lstm = nn.LSTM(emb, hid, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(2 * hid, classes)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(self.emb(x), lengths, batch_first=True, enforce_sorted=False)
        _, (h, _) = self.lstm(packed)
        h = h.view(x.size(0), -1)
        return self.fc(h)


train, test = [sentence() for _ in range(400)], [sentence() for _ in range(120)]
model = BiLSTM()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for epoch in range(1, 8):
    model.train()
    loss_sum = 0.0
    for x, lengths, y in batches(train, 40, True):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x, lengths), y)
        loss.backward()
        optimizer.step()
        loss_sum += loss.item() * len(y)
    model.eval()
    good = 0
    with torch.no_grad():
        for x, lengths, y in batches(test, 40, False):
            good += (model(x, lengths).argmax(1) == y).sum().item()
    print(f"epoch {epoch} loss {loss_sum / len(train):.4f} test accuracy {good / len(test):.4f}")
with torch.no_grad():
    x, lengths, _ = next(batches(test, 40, False))
    together = model(x, lengths)
    alone = torch.cat([model(row[None, :n], n[None]) for row, n in zip(x, lengths)])
result = {"apart": (together - alone).abs().max().item()}
