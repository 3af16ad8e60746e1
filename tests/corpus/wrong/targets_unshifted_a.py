import torch
import torch.nn as nn
from torch.nn import functional as F

torch.manual_seed(1337)
text = "the cat sat on the mat and the rat ate the hat that the cat had on the mat. " * 12
chars = sorted(set(text))
stoi = {ch: i for i, ch in enumerate(chars)}
data = torch.tensor([stoi[c] for c in text])
block_size, batch_size = 16, 24


def get_batch():
    ix = torch.randint(len(data) - block_size, (batch_size,))
    x = torch.stack([data[i : i + block_size] for i in ix])
    y = torch.stack([data[i : i + block_size] for i in ix])
    return x, y


class CharGRU(nn.Module):
    def __init__(self, vocab, dim=48):
        super().__init__()
        self.tok = nn.Embedding(vocab, dim)
        self.gru = nn.GRU(dim, dim, batch_first=True)
        self.head = nn.Linear(dim, vocab)

    def forward(self, idx, targets=None):
        logits = self.head(self.gru(self.tok(idx))[0])
        loss = None if targets is None else F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        return logits, loss


m = CharGRU(len(chars))
optimizer = torch.optim.AdamW(m.parameters(), lr=1e-2)
for it in range(80):
    xb, yb = get_batch()
    _, loss = m(xb, yb)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    if it % 20 == 0:
        print(f"{it:3d} {loss.item():.4f}")

with torch.no_grad():
    logits, _ = m(data[None, :200])
    next_token_loss = F.cross_entropy(logits[0, :-1], data[1:200]).item()
print("loss at predicting the next character", next_token_loss)
result = {"loss": loss.item(), "next_token_loss": next_token_loss}
