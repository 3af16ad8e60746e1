"""strict=False on purpose: the pretrained body fits, the head is new, and the missing keys are looked at."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 32), nn.ReLU())
        self.head = nn.Linear(32, classes)

    def forward(self, x):
        return self.head(self.body(x))


def fit(net, x, y, epochs):
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(epochs):
        for i in torch.randperm(len(x)).split(30):
            loss = nn.functional.cross_entropy(net(x[i]), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return loss.item()


torch.manual_seed(39)
x = torch.randn(300, 6)
old = Net(2)
print("pretrained", fit(old, x, (x[:, 0] > 0).long(), 5))
weights = {k: v for k, v in old.state_dict().items() if not k.startswith("head")}
new = Net(4)
missing, unexpected = new.load_state_dict(weights, strict=False)
assert not unexpected and all(k.startswith("head") for k in missing)
loss = fit(new, x, (x[:, 0] > 0).long() * 2 + (x[:, 1] > 0).long(), 8)
print("fine-tuned", loss)
result = {"loss": loss}
