import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)


class BinaryClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer_1 = nn.Linear(12, 32)
        self.layer_out = nn.Linear(32, 1)
        self.relu = nn.ReLU()

    def forward(self, inputs):
        x = self.relu(self.layer_1(inputs))
        return self.layer_out(x)


X = torch.randn(500, 12)
y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).float()
train_loader = DataLoader(TensorDataset(X, y), batch_size=50, shuffle=True)
model = BinaryClassifier()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

for e in range(1, 16):
    epoch_loss = 0
    for X_batch, y_batch in train_loader:
        optimizer.zero_grad()
        y_pred = model(X_batch)
        loss = criterion(y_pred, y_batch.unsqueeze(1))
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item()
    if e % 5 == 0:
        print(f"Epoch {e + 0:03}: | Loss: {epoch_loss / len(train_loader):.5f}")

result = {"loss": epoch_loss / len(train_loader)}
