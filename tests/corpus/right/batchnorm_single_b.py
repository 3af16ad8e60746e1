import torch
from torch import nn


class SignalNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 6, 5)
        self.norm = nn.BatchNorm1d(6)
        self.fc = nn.Linear(6, 1)

    def forward(self, s):
        return self.fc(torch.relu(self.norm(self.conv(s))).mean(-1)).squeeze(-1)


torch.manual_seed(24)
loudness = torch.rand(200, 1, 1) * 4 + 0.2
signals = loudness * torch.sin(torch.arange(30) * (0.2 + torch.rand(200, 1, 1)))
loud = (loudness.view(-1) > 2.2).float()

net = SignalNet()
loss_fn = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
step = 0
for epoch in range(2):
    net.train()
    losses = []
    for i in torch.randint(0, 200, (200, 10)):
        signal, target = signals[i], loud[i]
        loss = loss_fn(net(signal), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    net.eval()
    with torch.no_grad():
        eval_loss = loss_fn(net(signals), loud).item()
    recent = sum(losses[-100:]) / 100
    print(f"pass {epoch}: train {recent:.3f} eval {eval_loss:.3f}")
result = {"loss": eval_loss}
