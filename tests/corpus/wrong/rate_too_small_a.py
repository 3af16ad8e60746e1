import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(600, 1, 6, 6)
y = (x[:, 0, :3].mean((1, 2)) > x[:, 0, 3:].mean((1, 2))).long()
train_loader = DataLoader(TensorDataset(x[:500], y[:500]), batch_size=50, shuffle=True)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.fc = nn.Linear(64, 2)

    def forward(self, x):
        return self.fc(F.relu(self.conv(x)).flatten(1))


model = Net()
start = nn.utils.parameters_to_vector(model.parameters()).detach().clone()
optimizer = torch.optim.SGD(model.parameters(), lr=1e-7, momentum=0.9)
for epoch in range(5):
    for data, target in train_loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(data), target)
        loss.backward()
        optimizer.step()
    print("epoch", epoch, "loss", loss.item())

end = nn.utils.parameters_to_vector(model.parameters())
with torch.no_grad():
    accuracy = (model(x[500:]).argmax(1) == y[500:]).float().mean().item()
result = {"accuracy": accuracy, "relative_change": ((end - start).norm() / start.norm()).item()}
print(result)
