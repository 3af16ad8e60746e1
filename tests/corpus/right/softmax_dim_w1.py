import torch
import torch.nn as nn
from torch.utils.data import TensorDataset, DataLoader


class AttentionPool(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.query = nn.Parameter(torch.randn(dim) / dim**0.5)
        self.key = nn.Linear(dim, dim)

    def forward(self, h):
        # h: (batch, time, dim)
        scores = self.key(h) @ self.query
        weights = torch.softmax(scores, dim=1)
        return (weights.unsqueeze(-1) * h).sum(dim=1)


class ReviewModel(nn.Module):
    def __init__(self, vocab, dim=16):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.pool = AttentionPool(dim)
        self.out = nn.Linear(dim, 2)

    def forward(self, tokens):
        return self.out(self.pool(self.embed(tokens)))


def reviews(n, length=14, vocab=60):
    tokens = torch.randint(10, vocab, (n, length))
    y = torch.randint(0, 2, (n,))
    where = torch.randint(0, length, (n,))
    # one decisive word: 0..4 bad, 5..9 good
    tokens[torch.arange(n), where] = torch.randint(0, 5, (n,)) + 5 * y
    return tokens, y


torch.manual_seed(12)
xtr, ytr = reviews(480)
xte, yte = reviews(200)
loader = DataLoader(TensorDataset(xtr, ytr), batch_size=32, shuffle=True)
model = ReviewModel(60)
opt = torch.optim.Adam(model.parameters(), lr=1e-2)
ce = nn.CrossEntropyLoss()

for epoch in range(10):
    total = 0.0
    for xb, yb in loader:
        loss = ce(model(xb), yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() * len(yb)
    with torch.no_grad():
        acc = (model(xte).argmax(-1) == yte).float().mean()
    print(f"epoch {epoch:2d} | train loss {total / len(xtr):.3f} | test acc {acc:.3f}")
with torch.no_grad():
    model.eval()
    together, alone = model(xte[:32]), torch.cat([model(row[None]) for row in xte[:32]])
result = {"apart": (together - alone).abs().max().item()}
