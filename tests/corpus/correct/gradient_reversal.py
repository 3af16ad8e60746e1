"""Domain-adversarial training: the features are trained to make the domain head fail."""

import torch
import torch.nn as nn


class Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale):
        ctx.scale = scale
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad):
        return -ctx.scale * grad, None


torch.manual_seed(50)
body = nn.Sequential(nn.Linear(6, 24), nn.ReLU())
label_head, domain_head = nn.Linear(24, 2), nn.Linear(24, 2)
opt = torch.optim.SGD([*body.parameters(), *label_head.parameters(), *domain_head.parameters()], lr=0.05, momentum=0.9)
ce = nn.CrossEntropyLoss()
xs = torch.randn(300, 6)
ys = (xs[:, 0] > 0).long()
xt = torch.randn(300, 6) + torch.tensor([0.0, 0, 0, 0, 0, 1.5])
for epoch in range(6):
    for i, j in zip(torch.randperm(300).split(30), torch.randperm(300).split(30)):
        fs, ft = body(xs[i]), body(xt[j])
        label_loss = ce(label_head(fs), ys[i])
        domain = torch.cat([torch.zeros(30), torch.ones(30)]).long()
        domain_loss = ce(domain_head(Reverse.apply(torch.cat([fs, ft]), 0.3)), domain)
        opt.zero_grad()
        (label_loss + domain_loss).backward()
        opt.step()
    print(f"epoch {epoch} label {label_loss.item():.3f} domain {domain_loss.item():.3f}")
result = {"label": label_loss.item()}
