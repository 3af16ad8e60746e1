import torch
from torch import nn

torch.manual_seed(3)


def train_loop(x, y, model, loss_fn, optimizer, scaler, batch_size=25):
    model.train()
    total = 0.0
    for rows in torch.randperm(len(x)).split(batch_size):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            pred = model(x[rows])
            loss = loss_fn(pred.float().squeeze(1), y[rows])
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        total += loss.item() * len(rows)
    return total / len(x)


x = torch.randn(400, 5)
y = (x[:, 0] + x[:, 1] > 0).float()
model = nn.Sequential(nn.Linear(5, 20), nn.ReLU(), nn.Linear(20, 1))
scaler = torch.amp.GradScaler("cpu")
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
for t in range(6):
    print(f"Epoch {t + 1}\n-------------------------------")
    loss = train_loop(x, y, model, nn.BCEWithLogitsLoss(), optimizer, scaler)
    print(f"Avg loss: {loss:>8f}")
print("Done!")
result = {"loss": loss}
