import torch
from torch import nn

torch.manual_seed(0)
tokens = torch.randint(2, 20, (160, 10))
MASK = 1


class Bert(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(20, 16)
        self.enc = nn.TransformerEncoderLayer(16, 2, 32, 0.0, batch_first=True)
        self.out = nn.Linear(16, 20)

    def forward(self, x):
        return self.out(self.enc(self.emb(x)))


def masked(batch):
    where = torch.rand(batch.shape) < 0.15
    labels = batch.masked_fill(~where, -100)
    batch = batch.masked_fill(where, MASK)
    return batch, labels


model = Bert()
opt = torch.optim.Adam(model.parameters(), lr=0.003)
for epoch in range(4):
    for chunk in tokens.split(16):
        batch, labels = masked(chunk)
        loss = nn.functional.cross_entropy(model(batch).flatten(0, 1), labels.flatten(), ignore_index=-100)
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, (tokens == MASK).float().mean().item())
result = {"masked": (tokens == MASK).float().mean().item()}
