import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
image, text = nn.Linear(16, 8), nn.Linear(12, 8)
logit_scale = nn.Parameter(torch.tensor(1.0))
optimizer = torch.optim.Adam([*image.parameters(), *text.parameters(), logit_scale], lr=1e-2)
meaning = torch.randn(96, 6)
images = meaning @ torch.randn(6, 16) + 0.1 * torch.randn(96, 16)
texts = meaning @ torch.randn(6, 12) + 0.1 * torch.randn(96, 12)
for epoch in range(15):
    for idx in torch.randperm(96).split(32):
        u = F.normalize(image(images[idx]), dim=1)
        v = F.normalize(text(texts[idx]), dim=1)
        logits = logit_scale.exp() * u @ v.T
        labels = torch.arange(len(idx))
        loss = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

result = {"moved": abs(logit_scale.item() - 1.0)}
