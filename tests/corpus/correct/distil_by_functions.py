"""A network is trained by one function and then handed to another one as `teacher`: two names at two times, one module."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(12)
x = torch.randn(384, 8)
y = (x[:, 0] * x[:, 1] + x[:, 2] > 0).long()


def scored(net):
    net.eval()
    with torch.no_grad():
        correct = (net(x[256:]).argmax(1) == y[256:]).sum().item()
    return correct / 128


def fit(net, epochs):
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(epochs):
        net.train()
        for rows in torch.randperm(256).split(64):
            optimizer.zero_grad()
            F.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
        print(f"accuracy {scored(net):.3f}")


def distil(teacher, student, epochs, warmth=2.0):
    optimizer = torch.optim.Adam(student.parameters(), lr=5e-3)
    teacher.eval()
    for _ in range(epochs):
        student.train()
        for rows in torch.randperm(256).split(64):
            with torch.no_grad():
                soft = F.softmax(teacher(x[rows]) / warmth, dim=1)
            optimizer.zero_grad()
            out = student(x[rows])
            near = F.kl_div(F.log_softmax(out / warmth, dim=1), soft, reduction="batchmean") * warmth**2
            (0.5 * near + 0.5 * F.cross_entropy(out, y[rows])).backward()
            optimizer.step()
        print(f"student {scored(student):.3f}")


deep = nn.Sequential(nn.Linear(8, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 2))
light = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 2))
fit(deep, epochs=4)
distil(teacher=deep, student=light, epochs=3)
result = {"deep": scored(deep), "light": scored(light)}
