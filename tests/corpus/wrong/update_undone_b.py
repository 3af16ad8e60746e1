import copy

import torch
import torch.nn as nn
import torch.nn.functional as F


class EMA:
    def __init__(self, model, decay=0.9):
        self.model, self.decay = model, decay
        self.shadow = {k: v.detach().clone() for k, v in model.state_dict().items()}
        self.backup = copy.deepcopy(model.state_dict())

    @torch.no_grad()
    def update(self):
        for k, v in self.model.state_dict().items():
            self.shadow[k].mul_(self.decay).add_(v, alpha=1 - self.decay)

    def apply_shadow(self):
        self.model.load_state_dict(self.shadow)

    def restore(self):
        self.model.load_state_dict(self.backup)


torch.manual_seed(0)
X = torch.randn(400, 6)
Y = (X[:, :1] * X[:, 1:2] + X[:, 2:3].sin()) + 0.05 * torch.randn(400, 1)
xt, yt, xv, yv = X[:300], Y[:300], X[300:], Y[300:]

model = nn.Sequential(nn.Linear(6, 64), nn.SiLU(), nn.Linear(64, 1))
opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
ema = EMA(model)

for epoch in range(20):
    model.train()
    for idx in torch.randperm(300).split(50):
        opt.zero_grad(set_to_none=True)
        F.mse_loss(model(xt[idx]), yt[idx]).backward()
        opt.step()
        ema.update()
    ema.apply_shadow()
    model.eval()
    with torch.no_grad():
        val = F.mse_loss(model(xv), yv).item()
    ema.restore()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1} | val mse (ema) {val:.4f}")

result = {"val": val}
