import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(40)
w = torch.randn(6, 3)
x = torch.randn(400, 6)
t = (x @ w).argmax(1)
train_loader = DataLoader(TensorDataset(x[:300], t[:300]), batch_size=30, shuffle=True)
loader = DataLoader(TensorDataset(x[300:], t[300:]), batch_size=50)
model = torch.nn.Linear(6, 3)
optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)

for epoch in range(1, 7):
    for data, target in train_loader:
        optimizer.zero_grad()
        F.cross_entropy(model(data), target).backward()
        optimizer.step()
    test_loss, correct = 0, 0
    with torch.no_grad():
        for data, target in loader:
            output = model(data)
            test_loss += F.cross_entropy(output, target, reduction="sum").item()
            correct += (output.argmax(1) == target).sum().item()
    test_loss /= len(loader)
    print(f"epoch {epoch}: average loss {test_loss:.4f}, accuracy {correct}/100")
result = {"test_loss": test_loss}
