import torch
import torch.nn as nn
from torch.utils.data import TensorDataset, DataLoader

BASES = "ACGT"


def encode(seq):
    return torch.tensor([BASES.index(c) for c in seq])


class PromoterNet(nn.Module):
    def __init__(self, emb=8, hidden=16):
        super().__init__()
        self.embed = nn.Embedding(4, emb)
        self.lstm = nn.LSTM(emb, hidden, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(2 * hidden, 1)

    def forward(self, x):
        _, (h_n, _) = self.lstm(self.embed(x))
        # last state of either direction, side by side
        h = h_n.reshape(x.size(0), -1)
        return self.fc(h).squeeze(-1)


def make_sequences(n, length=14):
    x = torch.randint(0, 4, (n, length))
    y = torch.randint(0, 2, (n,))
    motif = encode("TATA")
    for i in range(n):
        if y[i] == 1:
            s = int(torch.randint(0, length - 3, (1,)))
            x[i, s : s + 4] = motif
        elif (x[i].unfold(0, 4, 1) == motif).all(1).any():
            y[i] = 1
    return x, y.float()


torch.manual_seed(16)
xtr, ytr = make_sequences(480)
xte, yte = make_sequences(160)
loader = DataLoader(TensorDataset(xtr, ytr), batch_size=32, shuffle=True)
model = PromoterNet()
opt = torch.optim.Adam(model.parameters(), lr=2e-2)
bce = nn.BCEWithLogitsLoss()

for epoch in range(10):
    model.train()
    total = 0.0
    for xb, yb in loader:
        loss = bce(model(xb), yb)
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        total += loss.item() * len(yb)
    model.eval()
    with torch.no_grad():
        acc = ((model(xte) > 0).float() == yte).float().mean().item()
    print(f"epoch {epoch + 1:2d} loss {total / len(xtr):.4f} test acc {acc:.3f}")
with torch.no_grad():
    model.eval()
    together, alone = model(xte[:32]), torch.cat([model(row[None]) for row in xte[:32]])
result = {"apart": (together - alone).abs().max().item()}
