"""Skip-gram: logsigmoid by hand, sparse rows, many embeddings without a gradient in a step."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(108)
VOCAB = 60
text = (torch.arange(3000) // 3 * 7 + torch.randint(0, 3, (3000,))) % VOCAB
centre, context = nn.Embedding(VOCAB, 12), nn.Embedding(VOCAB, 12)
nn.init.zeros_(context.weight)
opt = torch.optim.SGD([*centre.parameters(), *context.parameters()], lr=2.0)
for step in range(200):
    at = torch.randint(1, 2999, (64,))
    c, o = text[at], text[at + (torch.randint(0, 2, (64,)) * 2 - 1)]
    negative = torch.randint(0, VOCAB, (64, 4))
    v = centre(c)
    positive = F.logsigmoid((v * context(o)).sum(1))
    noise = F.logsigmoid(-torch.einsum("bd,bkd->bk", v, context(negative))).sum(1)
    loss = -(positive + noise).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 50 == 49:
        print(step + 1, loss.item())
result = {"loss": loss.item()}
