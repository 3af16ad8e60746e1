import torch
import torch.nn as nn

torch.manual_seed(0)


def conv_bn(c_in, c_out):
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU())


net = nn.Sequential(conv_bn(1, 4), conv_bn(4, 8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
stamps = torch.randn(3, 1, 6, 6)
labels = torch.randint(0, 3, (240,))
images = stamps[labels] + 0.5 * torch.randn(240, 1, 6, 6)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
for epoch in range(4):
    for idx in torch.randperm(240).split(40):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(images[idx]), labels[idx])
        loss.backward()
        optimizer.step()
    print("epoch", epoch, "loss", loss.item())
idle = [n for n, p in net.named_parameters() if p.grad.abs().max() < 1e-6]
print("parameters without a gradient worth the name:", idle)
result = {"idle": len(idle)}
