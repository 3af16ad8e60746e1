import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(2)
# early stopping: the lowest loss is compared with the first one for ever
x = torch.randn(240, 10)
y = x[:, :2].prod(1, keepdim=True)
model = nn.Sequential(nn.Linear(10, 48), nn.Tanh(), nn.Linear(48, 1))
opt = torch.optim.Adam(model.parameters(), lr=0.005)
lowest, patience, bad = None, 4, 0
for epoch in range(60):
    model.train()
    for part in torch.randperm(160).split(20):
        opt.zero_grad()
        F.mse_loss(model(x[part]), y[part]).backward()
        opt.step()
    model.eval()
    with torch.no_grad():
        val = F.mse_loss(model(x[160:]), y[160:]).item()
    if lowest is None:
        lowest = val
    elif val < lowest:
        lowest = val
        bad = 0
        kept = {k: v.clone() for k, v in model.state_dict().items()}
    else:
        bad += 1
        if bad >= patience:
            break
print("epochs", epoch + 1, "val", val)
result = {"epochs": epoch, "val": val}
