import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 8, 5, padding=2)
        self.head = nn.Conv1d(8, 1, 5, padding=2)

    def forward(self, x):
        return self.head(torch.relu(self.conv(x)))


def denoise(n):
    clean = torch.sin(torch.arange(32) * (0.2 + 0.5 * torch.rand(n, 1, 1)))
    return clean + 0.3 * torch.randn(n, 1, 32), clean


torch.manual_seed(36)
noisy, clean = denoise(200)
EPOCHS = 6
net = Net()
opt = torch.optim.Adam(net.parameters(), lr=0.01)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, T_max=EPOCHS)
rates = []
for epoch in range(EPOCHS):
    for b in torch.randperm(200).split(20):
        loss = nn.functional.mse_loss(net(noisy[b]), clean[b])
        opt.zero_grad()
        loss.backward()
        opt.step()
        rates.append(opt.param_groups[0]["lr"])
        sched.step()
    print(f"epoch {epoch}: loss {loss.item():.4f} lr {rates[-1]:.5f}")
result = {"rises": sum(b > a for a, b in zip(rates, rates[1:]))}
