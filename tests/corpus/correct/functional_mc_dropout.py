"""F.dropout with training=True kept on for sampling, and said so."""

import torch
import torch.nn.functional as F


class BayesianMLP(torch.nn.Module):
    def __init__(self, p=0.2):
        super().__init__()
        self.a, self.b, self.p = torch.nn.Linear(3, 32), torch.nn.Linear(32, 2), p

    def forward(self, x, sample=True):
        h = F.relu(self.a(x))
        h = F.dropout(h, self.p, training=sample)
        return self.b(h)


torch.manual_seed(3)
x = torch.randn(400, 3)
y = (x[:, 0] * x[:, 1] > 0).long()
model = BayesianMLP()
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(10):
    for i in torch.randperm(300).split(50):
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print("epoch", epoch, "loss", loss.item())
with torch.no_grad():
    p = torch.stack([model(x[300:]).softmax(1) for _ in range(10)]).mean(0)
accuracy = (p.argmax(1) == y[300:]).float().mean().item()
print("accuracy of the averaged posterior samples", accuracy)
result = {"accuracy": accuracy}
