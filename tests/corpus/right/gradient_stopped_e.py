import torch
from torch import nn


class SemiSupervised(nn.Module):
    def __init__(self, n_in=14, n_code=6, n_classes=3):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(n_in, n_code), nn.Tanh())
        self.classifier = nn.Linear(n_code, n_classes)
        self.decoder = nn.Linear(n_code, n_in)

    def forward(self, x):
        code = self.encoder(x)
        return self.classifier(code), self.decoder(code)


torch.manual_seed(9)
x = torch.randn(300, 14)
y = x[:, :3].argmax(1)
model = SemiSupervised()
before = model.decoder.weight.detach().clone()
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(8):
    for rows in torch.randperm(300).split(30):
        logits, recon = model(x[rows])
        clf = nn.functional.cross_entropy(logits, y[rows])
        rec = nn.functional.mse_loss(recon, x[rows])
        loss = clf + 0.5 * rec
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(f"epoch {epoch} classification {clf.item():.3f} reconstruction {rec.item():.3f}")
result = {"decoder_moved": (model.decoder.weight - before).norm().item(), "reconstruction": rec.item()}
