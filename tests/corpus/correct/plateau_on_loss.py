"""ReduceLROnPlateau on the validation loss, with early stopping and a deep copy of the best weights."""

import copy

import torch
import torch.nn as nn

torch.manual_seed(37)
x = torch.randn(400, 12)
y = x[:, :1] - x[:, 1:2] + 0.5 * torch.randn(400, 1)
model = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 1))
opt = torch.optim.Adam(model.parameters(), lr=0.01)
sched = torch.optim.lr_scheduler.ReduceLROnPlateau(opt, mode="min", factor=0.5, patience=1)
best, best_weights, patience = float("inf"), None, 0
for epoch in range(25):
    model.train()
    for i in torch.randperm(250).split(25):
        opt.zero_grad()
        nn.functional.mse_loss(model(x[i]), y[i]).backward()
        opt.step()
    model.eval()
    with torch.no_grad():
        val = nn.functional.mse_loss(model(x[250:]), y[250:]).item()
    sched.step(val)
    if val < best:
        best, best_weights, patience = val, copy.deepcopy(model.state_dict()), 0
    else:
        patience += 1
        if patience == 6:
            print("early stop at epoch", epoch)
            break
    print(f"epoch {epoch} val {val:.4f} lr {opt.param_groups[0]['lr']:.4f}")
model.load_state_dict(best_weights)
result = {"best": best}
