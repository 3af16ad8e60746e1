import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


class SequenceClassifier(nn.Module):
    def __init__(self, n_features, seq_len, hidden=16):
        super().__init__()
        self.lstm = nn.LSTM(n_features, hidden)
        self.fc = nn.Linear(seq_len * hidden, 2)

    def forward(self, x):  # x: (batch, time, features)
        out, _ = self.lstm(x.transpose(0, 1))
        return self.fc(out.contiguous().view(x.size(0), -1))


torch.manual_seed(0)
seqs = torch.randn(500, 8, 3)
labels = (seqs[:, :, 0].sum(1) > 0).long()
train_loader = DataLoader(TensorDataset(seqs[:400], labels[:400]), batch_size=40, shuffle=True)
test_loader = DataLoader(TensorDataset(seqs[400:], labels[400:]), batch_size=50)
model = SequenceClassifier(3, 8)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(8):
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in test_loader:
            correct += (model(x).argmax(1) == y).sum().item()
    print(f"epoch {epoch}: test accuracy {correct / 100:.2f}")
result = {"accuracy": correct / 100}
