import torch
from torch import nn


class WordOrder(nn.Module):
    def __init__(self, vocab=10, dim=16):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim)
        self.lstm = nn.LSTM(dim, dim, batch_first=True)
        self.fc = nn.Linear(dim, 2)

    def forward(self, s):
        return self.fc(self.lstm(self.emb(s))[0][:, -1])


torch.manual_seed(60)
s = torch.randint(0, 10, (300, 5))
first_is_larger = (s[:, 0] > s[:, -1]).long()
model = WordOrder()
w = model.fc.weight.detach().clone()
opt = torch.optim.Adam(model.parameters(), lr=1e-2)
for epoch in range(10):
    total = 0.0
    for rows in torch.randperm(300).split(30):
        loss = nn.functional.cross_entropy(model(s[rows]), first_is_larger[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() / 10
    print(f"epoch {epoch} loss {total:.4f}")
result = {"loss": total, "moved": (model.fc.weight - w).abs().max().item()}
