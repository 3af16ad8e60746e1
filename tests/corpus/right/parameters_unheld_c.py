import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer_in = nn.Linear(4, 24)
        self.gate = nn.Linear(4, 24)
        self.layer_out = nn.Linear(24, 1)

    def forward(self, x):
        return self.layer_out(torch.tanh(self.layer_in(x)) * torch.sigmoid(self.gate(x)))


torch.manual_seed(15)
x = torch.randn(400, 4)
y = torch.where(x[:, :1] > 0, x[:, 1:2], -x[:, 1:2])
model = Gated()
gate = model.gate.weight.detach().clone()
params = [p for name, p in model.named_parameters() if "layer" in name or "gate" in name]
optimizer = torch.optim.Adam(params, lr=0.01)
for epoch in range(8):
    total = 0.0
    for xb, yb in DataLoader(TensorDataset(x, y), batch_size=40, shuffle=True):
        loss = nn.functional.mse_loss(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() / 10
    print("epoch", epoch, "loss", total)
result = {"gate_moved": (model.gate.weight - gate).norm().item(), "loss": total}
