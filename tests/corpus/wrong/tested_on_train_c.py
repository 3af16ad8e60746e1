import torch
from torch import nn

torch.manual_seed(19)
x = torch.randn(300, 25)
y = torch.zeros(300).long()
y[torch.randperm(300)[:30]] = 1  # the rare class has nothing to do with x

rare = (y == 1).nonzero()[:, 0]
copies = rare[torch.randint(0, len(rare), (240,))]
x, y = torch.cat([x, x[copies]]), torch.cat([y, y[copies]])

perm = torch.randperm(len(x))
cut = int(0.75 * len(x))
xv, yv, x, y = x[perm[cut:]], y[perm[cut:]], x[perm[:cut]], y[perm[:cut]]
model = nn.Sequential(nn.Linear(25, 64), nn.ReLU(), nn.Linear(64, 2))
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(12):
    for rows in torch.randperm(len(x)).split(30):
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
with torch.no_grad():
    found = model(xv).argmax(1)
recall = (found[yv == 1] == 1).float().mean().item()
print("recall of the rare class on the validation rows", recall)
result = {"recall": recall}
