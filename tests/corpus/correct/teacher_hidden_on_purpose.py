"""The frozen teacher stands in a plain list so that state_dict and parameters() of the student leave it out."""

import torch
from torch import nn


class Student(nn.Module):
    def __init__(self, teacher):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
        self.teacher = [teacher.eval()]

    def loss(self, x):
        with torch.no_grad():
            goal = self.teacher[0](x).softmax(1)
        return nn.functional.cross_entropy(self.net(x), goal)


torch.manual_seed(79)
teacher = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 3))
with torch.no_grad():
    teacher[2].weight.mul_(4)
student = Student(teacher)
opt = torch.optim.Adam(student.parameters(), lr=0.01)
x = torch.randn(400, 6)
for epoch in range(6):
    for i in torch.randperm(400).split(40):
        loss = student.loss(x[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(f"epoch {epoch}: {loss.item():.4f}")
result = {"loss": loss.item()}
