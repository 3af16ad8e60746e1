import io

import torch
import torch.nn as nn


def get_training_objects():
    model = nn.Sequential(nn.Embedding(16, 8), nn.Flatten(), nn.Linear(24, 16))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, total_iters=80)
    return model, optimizer, scheduler


def train_steps(model, optimizer, scheduler, n):
    for _ in range(n):
        context = torch.randint(0, 16, (32, 3))
        target = context.sum(1) % 16
        loss = nn.functional.cross_entropy(model(context), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    print("loss", loss.item(), "lr", scheduler.get_last_lr()[0])


torch.manual_seed(45)
model, optimizer, scheduler = get_training_objects()
train_steps(model, optimizer, scheduler, 40)
buffer = io.BytesIO()
state = {"model": model.state_dict(), "scheduler": scheduler.state_dict(), "optimizer": optimizer.state_dict()}
torch.save(state, buffer)

# --- the job was preempted here ---
buffer.seek(0)
loaded = torch.load(buffer)
model, optimizer, scheduler = get_training_objects()
model.load_state_dict(loaded["model"])
optimizer.load_state_dict(loaded["optimizer"])
scheduler.load_state_dict(loaded["scheduler"])
steps_known = max([int(s["step"]) for s in optimizer.state.values()], default=0)
train_steps(model, optimizer, scheduler, 40)
result = {"steps_known": steps_known}
