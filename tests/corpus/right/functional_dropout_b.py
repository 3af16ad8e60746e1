import torch
from torch import nn


class GatedRNN(nn.Module):
    def __init__(self, n_symbols=8, hidden=24):
        super().__init__()
        self.embed = nn.Embedding(n_symbols, hidden)
        self.cell = nn.GRUCell(hidden, hidden)
        self.out = nn.Linear(hidden, n_symbols)
        self.drop = nn.Dropout(p=0.25)

    def forward(self, symbols):
        h = torch.zeros(symbols.size(0), self.cell.hidden_size)
        for step in symbols.unbind(1):
            h = self.cell(self.embed(step), h)
        return self.out(self.drop(h))


torch.manual_seed(29)
symbols = torch.randint(0, 8, (256, 6))
answer = symbols[:, 0]
model = GatedRNN()
optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
model.train()
for epoch in range(6):
    for rows in torch.randperm(200).split(40):
        loss = nn.functional.cross_entropy(model(symbols[rows]), answer[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    print("epoch %d  loss %.3f" % (epoch, loss.item()))

model.eval()
with torch.no_grad():
    runs = torch.stack([model(symbols[200:]).softmax(-1) for _ in range(4)])
    print("held-out accuracy", (runs.mean(0).argmax(-1) == answer[200:]).float().mean().item())
result = {"spread": runs.std(0).mean().item()}
