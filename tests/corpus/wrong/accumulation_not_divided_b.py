import math

import torch
import torch.nn as nn
from torch.nn import functional as F

# -----------------------------------------------------------------------------
batch_size, block_size = 8, 16
gradient_accumulation_steps = 4
max_iters, eval_interval = 40, 10
learning_rate, grad_clip = 0.1, 1.0
n_embd, vocab_size = 24, 11
# -----------------------------------------------------------------------------
torch.manual_seed(1337)
train_data = (torch.arange(2000) ** 2 % vocab_size + torch.randint(0, 2, (2000,))) % vocab_size


def get_batch():
    ix = torch.randint(len(train_data) - block_size - 1, (batch_size,))
    x = torch.stack([train_data[i : i + block_size] for i in ix])
    y = torch.stack([train_data[i + 1 : i + 1 + block_size] for i in ix])
    return x, y


class TinyLM(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, n_embd)
        self.wpe = nn.Embedding(block_size, n_embd)
        self.qkv = nn.Linear(n_embd, 3 * n_embd)
        self.ln = nn.LayerNorm(n_embd)
        self.lm_head = nn.Linear(n_embd, vocab_size)

    def forward(self, idx, targets):
        h = self.wte(idx) + self.wpe.weight
        q, k, v = self.qkv(h).split(n_embd, dim=2)
        att = (q @ k.transpose(-2, -1)) / math.sqrt(n_embd)
        att = att.masked_fill(torch.triu(torch.ones(block_size, block_size), 1).bool(), float("-inf"))
        logits = self.lm_head(self.ln(h + F.softmax(att, -1) @ v))
        return logits, F.cross_entropy(logits.view(-1, vocab_size), targets.view(-1))


model = TinyLM()
optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate, momentum=0.9)
norms, X_Y = [], get_batch()
for it in range(max_iters):
    for micro_step in range(gradient_accumulation_steps):
        logits, loss = model(*X_Y)
        X_Y = get_batch()
        loss.backward()
    norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), grad_clip).item())
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    if it % eval_interval == 0:
        print(f"iter {it}: loss {loss.item():.4f}, grad norm {norms[-1]:.3f}")

result = {"clipped": sum(n > grad_clip for n in norms) / len(norms), "norm": norms[0]}
print(result)
