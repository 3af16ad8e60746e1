import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
accumulation_steps = 8

x = torch.randn(512, 20)
w = torch.randn(20, 1)
y = x @ w + 0.1 * torch.randn(512, 1)
loader = DataLoader(TensorDataset(x, y), batch_size=8, shuffle=True)

model = nn.Linear(20, 1)
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
first_update = None

optimizer.zero_grad()
for epoch in range(3):
    total = 0.0
    for i, (inputs, targets) in enumerate(loader):
        outputs = model(inputs)
        loss = criterion(outputs, targets)
        loss.backward()
        if (i + 1) % accumulation_steps == 0:
            before = model.weight.detach().clone()
            optimizer.step()
            optimizer.zero_grad()
            if first_update is None:
                first_update = (model.weight - before).norm().item()
        total += criterion(outputs.detach(), targets).item()
    print(f"epoch {epoch}: {total / len(loader):.4f}")

result = {"first_update": first_update, "loss": total / len(loader)}
print(result)
