import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(4)
x = torch.randn(400, 10)
y = (x @ torch.randn(10, 3)).argmax(1)
train_loader = DataLoader(TensorDataset(x, y), batch_size=20, shuffle=True)
num_epochs = 5
total_steps = num_epochs * len(train_loader)
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 3))
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=total_steps)
for epoch in range(num_epochs):
    for step, batch in enumerate(train_loader):
        inputs, labels = batch
        outputs = model(inputs)
        loss = nn.functional.cross_entropy(outputs, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    scheduler.step()
    print(f"Epoch {epoch}: loss {loss.item():.4f}, lr {optimizer.param_groups[0]['lr']:.6f}")
result = {"last_rate": optimizer.param_groups[0]["lr"]}
