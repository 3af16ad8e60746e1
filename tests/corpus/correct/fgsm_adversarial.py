"""Adversarial training: a gradient with respect to the input first, then the step on both versions."""

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(49)
x = torch.rand(400, 20)
y = (x[:, :10].sum(1) > x[:, 10:].sum(1)).long()
model = nn.Sequential(nn.Linear(20, 48), nn.ReLU(), nn.Linear(48, 2))
opt = torch.optim.Adam(model.parameters(), lr=0.01)


def fgsm(images, labels, epsilon=0.05):
    images = images.clone().requires_grad_(True)
    model.eval()
    grad = torch.autograd.grad(F.cross_entropy(model(images), labels), images)[0]
    model.train()
    return (images + epsilon * grad.sign()).clamp(0, 1).detach()


for epoch in range(8):
    for i in torch.randperm(400).split(40):
        attacked = fgsm(x[i], y[i])
        loss = 0.5 * (F.cross_entropy(model(x[i]), y[i]) + F.cross_entropy(model(attacked), y[i]))
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(f"epoch {epoch} loss {loss.item():.4f}")
result = {"loss": loss.item()}
