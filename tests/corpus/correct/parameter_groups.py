"""Different rates for body and head, no decay on biases and norms, warm-up by LambdaLR in each step."""

import torch
from torch import nn

torch.manual_seed(56)
model = nn.Sequential(nn.Linear(7, 32), nn.LayerNorm(32), nn.GELU(), nn.Linear(32, 3))
decay = [p for n, p in model.named_parameters() if p.ndim == 2 and not n.startswith("3")]
plain = [p for n, p in model.named_parameters() if p.ndim == 1 and not n.startswith("3")]
groups = [
    {"params": decay, "weight_decay": 0.05},
    {"params": plain, "weight_decay": 0.0},
    {"params": model[3].parameters(), "lr": 1e-2, "weight_decay": 0.0},
]
optimizer = torch.optim.AdamW(groups, lr=3e-3)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 10))
x = torch.randn(300, 7)
y = x[:, :3].argmax(1)
for epoch in range(6):
    for rows in torch.randperm(300).split(30):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
    print(f"epoch {epoch} loss {loss.item():.4f} rates {[round(r, 5) for r in scheduler.get_last_lr()]}")
result = {"loss": loss.item()}
