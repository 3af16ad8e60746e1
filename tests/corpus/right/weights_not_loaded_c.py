import os
import tempfile

import torch
from torch import nn


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(1, 8, 7, padding=3)
        self.conv2 = nn.Conv1d(8, 1, 7, padding=3)

    def forward(self, x):
        return self.conv2(torch.relu(self.conv1(x)))


def batch(n=32):
    clean = torch.sin(torch.arange(40) * 0.3 + 6 * torch.rand(n, 1, 1))
    return clean + 0.3 * torch.randn(n, 1, 40), clean


torch.manual_seed(38)
net = Denoiser()
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for step in range(100):
    noisy, clean = batch()
    loss = (net(noisy) - clean).square().mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
print("trained to", loss.item())
folder = tempfile.TemporaryDirectory()
path = os.path.join(folder.name, "model_best.pth.tar")
torch.save({"epoch": 100, "state_dict": net.state_dict()}, path)

model = Denoiser()
model.load_state_dict(torch.load(path)["state_dict"], strict=False)
model.eval()
with torch.no_grad():
    noisy, clean = batch(200)
    error = (model(noisy) - clean).square().mean().item()
print("error of the loaded model", error)
folder.cleanup()
result = {"error": error}
