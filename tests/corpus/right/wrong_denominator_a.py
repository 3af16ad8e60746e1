import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(500, 8)
y = x.abs().argmax(1)
train_set = TensorDataset(x, y)
train_loader = DataLoader(train_set, batch_size=25, shuffle=True)
model = nn.Sequential(nn.Linear(8, 48), nn.ReLU(), nn.Linear(48, 8))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.005)

for epoch in range(6):
    train_loss = 0.0
    for inputs, labels in train_loader:
        optimizer.zero_grad()
        outputs = model(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        train_loss += loss.item() * inputs.size(0)
    train_loss = train_loss / len(train_set)
    print("Epoch: {} \tTraining Loss: {:.6f}".format(epoch + 1, train_loss))
result = {"train_loss": train_loss}
