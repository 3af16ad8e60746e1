import torch
from torch import nn, optim
from torch.nn import functional as F


class Codes(nn.Module):
    """Nearest of a table of codes that moves with the averages of what it stands for."""

    def __init__(self, count, width, keep=0.9):
        super().__init__()
        self.keep = keep
        self.register_buffer("table", torch.randn(count, width))
        self.register_buffer("sizes", torch.ones(count))
        self.register_buffer("sums", self.table.clone())

    def forward(self, z):
        nearest = torch.cdist(z, self.table).min(dim=1).indices
        chosen = F.one_hot(nearest, len(self.table)).float()
        code = chosen @ self.table
        if self.training:
            with torch.no_grad():
                self.sizes.mul_(self.keep).add_(chosen.sum(0), alpha=1 - self.keep)
                self.sums.mul_(self.keep).add_(chosen.t() @ z, alpha=1 - self.keep)
                self.table.copy_(self.sums / (self.sizes.unsqueeze(1) + 1e-3))
        distance = (z - code).pow(2).mean()
        return z + (code - z).detach(), distance


torch.manual_seed(4)
signals = torch.randint(0, 4, (600, 1)).float() + 0.1 * torch.randn(600, 1)
spectra = torch.sin(signals * torch.linspace(0.5, 4.0, 20)) + 0.05 * torch.randn(600, 20)
encoder = nn.Sequential(nn.Linear(20, 32), nn.Tanh(), nn.Linear(32, 3))
codes = Codes(16, 3)
decoder = nn.Sequential(nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 20))
optimizer = optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=4e-3)
for epoch in range(15):
    for rows in torch.randperm(600).split(60):
        batch = spectra[rows]
        given, distance = codes(encoder(batch))
        error = F.smooth_l1_loss(decoder(given), batch)
        optimizer.zero_grad()
        (4 * error + 0.5 * distance).backward()
        optimizer.step()
codes.eval()
with torch.no_grad():
    given, _ = codes(encoder(spectra))
    error = F.mse_loss(decoder(given), spectra).item()
print(f"error {error:.4f}")
result = {"error": error}
