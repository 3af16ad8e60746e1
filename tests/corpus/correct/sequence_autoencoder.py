"""The target of a sequence is the sequence itself, through a bottleneck."""

import torch
from torch import nn

torch.manual_seed(88)


class SeqAE(nn.Module):
    def __init__(self, vocab=6, hidden=32):
        super().__init__()
        self.emb = nn.Embedding(vocab, 8)
        self.enc, self.dec = nn.GRU(8, hidden, batch_first=True), nn.GRU(hidden, hidden, batch_first=True)
        self.out = nn.Linear(hidden, vocab)

    def forward(self, s):
        code = self.enc(self.emb(s))[1][0]
        return self.out(self.dec(code.unsqueeze(1).expand(-1, s.size(1), -1))[0])


model = SeqAE()
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(120):
    s = torch.randint(0, 6, (32, 4))
    loss = nn.functional.cross_entropy(model(s).flatten(0, 1), s.flatten())
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 40 == 39:
        print(step + 1, "reconstruction", loss.item())
result = {"loss": loss.item()}
