import torch
from torch import nn

torch.manual_seed(0)
n = 200
y = torch.randint(0, 3, (n,))
A = (torch.rand(n, n) < torch.where(y[:, None] == y[None], 0.08, 0.02)).float()
A = ((A + A.T + torch.eye(n)) > 0).float()
A = A / A.sum(1, keepdim=True)
x = torch.randn(n, 16) + torch.nn.functional.one_hot(y, 16)
train_mask = torch.zeros(n, dtype=torch.bool)
test_mask = torch.zeros(n, dtype=torch.bool)
train_mask[:120] = True
test_mask[80:] = True
w1, w2 = nn.Linear(16, 32), nn.Linear(32, 3)
opt = torch.optim.Adam([*w1.parameters(), *w2.parameters()], lr=0.01)


def gcn():
    return A @ w2(torch.relu(A @ w1(x)))


for epoch in range(60):
    out = gcn()
    loss = nn.functional.cross_entropy(out[train_mask], y[train_mask])
    opt.zero_grad()
    loss.backward()
    opt.step()
with torch.no_grad():
    pred = gcn().argmax(1)
    accuracy = (pred[test_mask] == y[test_mask]).float().mean().item()
print(f"test accuracy {accuracy:.3f}")
result = {"accuracy": accuracy}
