import torch
from torch import nn


class NextWord(nn.Module):
    def __init__(self, vocab, dim):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.hidden = nn.Linear(2 * dim, dim)
        self.head = nn.Linear(dim, vocab, bias=False)
        self.tie()

    def tie(self):
        self.head.weight = self.embed.weight

    def forward(self, pair):
        return self.head(torch.tanh(self.hidden(self.embed(pair).flatten(1))))


def resize_vocabulary(model, size):
    old = model.embed.weight.data
    enlarged = nn.Embedding(size, old.size(1))
    enlarged.weight.data[: len(old)] = old
    model.embed = enlarged
    model.head = nn.Linear(old.size(1), size, bias=False)
    model.tie()


torch.manual_seed(16)
model = NextWord(12, 10)
resize_vocabulary(model, 16)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(150):
    pair = torch.randint(0, 16, (32, 2))
    target = (pair[:, 0] + 2 * pair[:, 1]) % 16
    loss = nn.functional.cross_entropy(model(pair), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 49:
        print(f"{step + 1} loss {loss.item():.3f}")
result = {"distance": (model.embed.weight - model.head.weight).norm().item()}
