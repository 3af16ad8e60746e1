import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(2)
# the best weights are kept inside the loop over the batches
x = torch.randn(400, 16)
y = (x[:, :2].sum(1) + torch.randn(400) > 0).float()
model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 1))
opt = torch.optim.Adam(model.parameters(), lr=0.01)
best_loss = 100.0
for epoch in range(8):
    for i in range(0, 300, 15):
        out = model(x[i : i + 15]).view(-1)
        loss = F.binary_cross_entropy_with_logits(out, y[i : i + 15])
        opt.zero_grad()
        loss.backward()
        opt.step()
        if loss < best_loss:
            best_loss = loss.item()
            best = {k: v.clone() for k, v in model.state_dict().items()}
    with torch.no_grad():
        val = F.binary_cross_entropy_with_logits(model(x[300:]).view(-1), y[300:]).item()
    print(epoch, val)
model.load_state_dict(best)
with torch.no_grad():
    result = {"val": F.binary_cross_entropy_with_logits(model(x[300:]).view(-1), y[300:]).item()}
