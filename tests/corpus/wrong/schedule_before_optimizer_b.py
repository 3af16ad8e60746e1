import math

import torch


def warmup_cosine(warmup, total):
    def factor(step):
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))

    return factor


torch.manual_seed(9)
tokens = torch.randint(0, 20, (500, 6))
parity = (tokens == 3).any(1).float()
embedding, out = torch.nn.Embedding(20, 8), torch.nn.Linear(8, 1)
params = [*embedding.parameters(), *out.parameters()]
optimizer = torch.optim.AdamW(params, lr=0.05)
total = 3 * 10
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, warmup_cosine(5, total))
rates = []
for epoch in range(3):
    for idx in torch.randperm(500).split(50):
        logits = out(embedding(tokens[idx]).amax(1)).squeeze(1)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, parity[idx])
        optimizer.zero_grad()
        loss.backward()
        scheduler.step()
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
    print("epoch", epoch, "loss", loss.item(), "lr", scheduler.get_last_lr()[0])
result = {"first_rate": rates[0]}
