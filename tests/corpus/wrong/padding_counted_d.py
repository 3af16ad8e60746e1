import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(2)
# a tiny language model on sentences of many lengths, filled up with <pad>
VOCAB = ["<pad>", "<eos>"] + list("abcdefghij")


def sentence():
    n = int(torch.randint(2, 14, (1,)))
    start = int(torch.randint(0, 10, (1,)))
    return [2 + (start + 3 * k) % 10 for k in range(n)] + [1]


def batch(n):
    rows = [sentence() for _ in range(n)]
    longest = max(map(len, rows))
    return torch.tensor([r + [0] * (longest - len(r)) for r in rows])


class LM(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(len(VOCAB), 16)
        self.rnn = nn.LSTM(16, 32, batch_first=True)
        self.head = nn.Linear(32, len(VOCAB))

    def forward(self, x):
        return self.head(self.rnn(self.emb(x))[0])


def train():
    model = LM()
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(100):
        rows = batch(16)
        logits = model(rows[:, :-1])
        loss = F.cross_entropy(logits.transpose(1, 2), rows[:, 1:])
        opt.zero_grad()
        loss.backward()
        opt.step()
        if step % 25 == 0:
            print(step, loss.item())
    return model


model = train()
rows = batch(200)
with torch.no_grad():
    result = {"ce": F.cross_entropy(model(rows[:, :-1]).transpose(1, 2), rows[:, 1:], ignore_index=0).item()}
