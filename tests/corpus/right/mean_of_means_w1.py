import math
import random
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pad_sequence

random.seed(41)
torch.manual_seed(41)
PAD, BOS, EOS = 0, 1, 2
SUBJ = "luck fortune a_friend the_moon your_cat".split()
VERB = "brings follows promises hides".split()
OBJ = "gold rain a_letter good_news cake silence".split()
words = ["<pad>", "<s>", "</s>", "and", "then", "."] + SUBJ + VERB + OBJ
index = {w: i for i, w in enumerate(words)}


def fortune():
    toks = [random.choice(SUBJ), random.choice(VERB), random.choice(OBJ)]
    while random.random() < 0.45:
        toks += [random.choice(["and", "then"]), random.choice(SUBJ), random.choice(VERB), random.choice(OBJ)]
    return torch.tensor([BOS] + [index[t] for t in toks] + [index["."], EOS])


def batches(data, size, shuffle):
    data = sorted(data, key=len)  # little padding within a batch
    groups = [data[i : i + size] for i in range(0, len(data), size)]
    if shuffle:
        random.shuffle(groups)
    for g in groups:
        b = pad_sequence(g, batch_first=True, padding_value=PAD)
        yield b[:, :-1], b[:, 1:]


class LM(nn.Module):
    def __init__(self, d=24):
        super().__init__()
        self.emb = nn.Embedding(len(words), d, padding_idx=PAD)
        self.rnn = nn.GRU(d, d, batch_first=True)
        self.out = nn.Linear(d, len(words))

    def forward(self, x):
        return self.out(self.rnn(self.emb(x))[0])


def perplexity(model, data):
    model.eval()
    nll, tokens = 0.0, 0
    with torch.no_grad():
        for x, y in batches(data, 10, False):
            nll += F.cross_entropy(model(x).flatten(0, 1), y.flatten(), ignore_index=PAD, reduction="sum").item()
            tokens += (y != PAD).sum().item()
    return math.exp(nll / tokens)


def exact(model, data):
    with torch.no_grad():
        pairs = [
            (F.cross_entropy(model(x).flatten(0, 1), y.flatten(), ignore_index=PAD, reduction="sum"), (y != PAD).sum())
            for x, y in batches(data, 10, False)
        ]
    return math.exp(sum(nll.item() for nll, _ in pairs) / sum(count.item() for _, count in pairs))


train, valid = [fortune() for _ in range(200)], [fortune() for _ in range(60)]
model = LM()
opt = torch.optim.Adam(model.parameters(), lr=1e-2)
for epoch in range(6):
    model.train()
    for x, y in batches(train, 20, True):
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten(), ignore_index=PAD)
        opt.zero_grad()
        loss.backward()
        opt.step()
    shown = perplexity(model, valid)
    print(f"epoch {epoch} validation perplexity {shown:.4f}")
result = {"reported": shown, "exact": exact(model, valid)}
