import torch
from torch import nn, optim


class PretrainNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(8, 32), nn.Tanh())
        self.output = nn.Linear(32, 8)

    def forward(self, x):
        return self.output(self.features(x))


class FinetuneNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(8, 32), nn.Tanh())
        self.output_layer = nn.Linear(32, 8)

    def forward(self, x):
        return self.output_layer(self.backbone(x))


def train(net, x, steps, lr):
    opt = optim.Adam(net.parameters(), lr=lr)
    curve = []
    for _ in range(steps):
        noisy = x + 0.3 * torch.randn_like(x)
        loss = nn.functional.mse_loss(net(noisy), x)
        opt.zero_grad()
        loss.backward()
        opt.step()
        curve.append(loss.item())
    return curve


torch.manual_seed(14)
x = torch.randn(300, 2) @ torch.randn(2, 8)
old = PretrainNet()
print("pretraining: last loss", train(old, x, 200, 0.01)[-1])

new = FinetuneNet()
own = new.state_dict()
matching = {k: v for k, v in old.state_dict().items() if k in own and v.shape == own[k].shape}
own.update(matching)
new.load_state_dict(own)
curve = train(new, x, 30, 0.001)
print("fine-tuning: first loss", curve[0], "last loss", curve[-1])
result = {"first_loss": curve[0]}
