import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
ACCUM = 4
features = torch.randn(320, 16)
targets = (features[:, :8].sum(1) > features[:, 8:].sum(1)).long()
loader = DataLoader(TensorDataset(features, targets), batch_size=32, shuffle=True)
model = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.GELU(), torch.nn.Linear(32, 2))
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)

updates = 0
for epoch in range(5):
    optimizer.zero_grad()  # start clean
    epoch_loss = 0.0
    for step, (xb, yb) in enumerate(loader, start=1):
        loss = F.cross_entropy(model(xb), yb)
        (loss / ACCUM).backward()
        if step % ACCUM == 0:
            optimizer.step()
            optimizer.zero_grad()
            updates += 1
        epoch_loss += loss.item()
    print(f"Epoch {epoch}: loss={epoch_loss / len(loader):.4f} updates={updates}")

result = {"updates": updates, "loss": epoch_loss / len(loader)}
