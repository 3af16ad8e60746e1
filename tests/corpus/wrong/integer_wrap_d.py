import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(3)


class Volume:
    """Sixteen-bit sound: the louder copy is made in the same sixteen bits."""

    def __init__(self, n):
        self.raw = (torch.randn(n, 20) * 12000).clamp(-32768, 32767).to(torch.int16)
        self.label = (self.raw.float().pow(2).mean(1) > 1.4e8).float()

    def louder(self):
        return self.raw * 4


sound = Volume(320)
x = sound.louder().float() / 32768
net = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 1))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for step in range(80):
    i = torch.randint(0, 320, (32,))
    loss = F.binary_cross_entropy_with_logits(net(x[i]).squeeze(1), sound.label[i])
    opt.zero_grad()
    loss.backward()
    opt.step()
result = {"wrong": int((torch.sign(sound.louder().int()) != torch.sign(sound.raw.int())).sum())}
print(result)
