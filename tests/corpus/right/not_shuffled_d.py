import torch
import torch.nn.functional as F

torch.manual_seed(1)
# four clouds made one after the other, batches cut by hand
clouds = [torch.randn(200, 6) + 1.0 * torch.randn(6) for _ in range(4)]
data = torch.cat(clouds)
label = torch.arange(4).repeat_interleave(200)
held = torch.randperm(800)[:160]
keep = torch.ones(800, dtype=torch.bool)
keep[held] = False
x, y = data[keep], label[keep]
mix = torch.randperm(len(x))
x, y = x[mix], y[mix]
W = torch.zeros(6, 4, requires_grad=True)
b = torch.zeros(4, requires_grad=True)
for epoch in range(5):
    for i in range(0, len(x), 20):
        loss = F.cross_entropy(x[i : i + 20] @ W + b, y[i : i + 20])
        gw, gb = torch.autograd.grad(loss, (W, b))
        with torch.no_grad():
            W -= 0.3 * gw
            b -= 0.3 * gb
    print(epoch, loss.item())
result = {"acc": ((data[held] @ W + b).argmax(1) == label[held]).float().mean().item()}
