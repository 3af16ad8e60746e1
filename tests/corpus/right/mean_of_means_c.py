import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pad_sequence

torch.manual_seed(27)
VOCAB, PAD = 9, 0


def counting(length, noise):
    start = int(torch.randint(1, VOCAB, (1,)))
    s = (start - 1 + torch.arange(length)) % (VOCAB - 1) + 1
    flip = torch.rand(length) < noise
    return torch.where(flip, torch.randint(1, VOCAB, (length,)), s)


train = [counting(int(n), 0.1) for n in torch.randint(4, 16, (120,))]
short_and_noisy = [counting(4, 0.9) for _ in range(20)]
long_and_clean = [counting(40, 0.02) for _ in range(20)]
valid = [short_and_noisy, long_and_clean]


class LM(nn.Module):
    def __init__(self):
        super().__init__()
        self.e, self.r, self.o = nn.Embedding(VOCAB, 12), nn.GRU(12, 24, batch_first=True), nn.Linear(24, VOCAB)

    def forward(self, t):
        return self.o(self.r(self.e(t))[0])


model = LM()
opt = torch.optim.Adam(model.parameters(), lr=0.01)


def loss_of(sentences):
    ids = pad_sequence(sentences, batch_first=True, padding_value=PAD)
    logits = model(ids[:, :-1]).flatten(0, 1)
    return F.cross_entropy(logits, ids[:, 1:].flatten(), ignore_index=PAD), sum(len(s) - 1 for s in sentences)


@torch.no_grad()
def validate():
    losses, tokens = [], []
    for sentences in valid:
        loss, n = loss_of(sentences)
        losses.append(loss.item())
        tokens.append(n)
    return float(np.average(losses, weights=tokens))


for epoch in range(5):
    order = torch.randperm(120).tolist()
    for k in range(0, 120, 20):
        loss, _ = loss_of([train[i] for i in order[k : k + 20]])
        opt.zero_grad()
        loss.backward()
        opt.step()
    valid_loss = validate()
    print(f"epoch {epoch} valid loss per token {valid_loss:.3f} perplexity {np.exp(valid_loss):.2f}")
result = {"loss": valid_loss}
