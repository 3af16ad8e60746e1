import copy

import torch
from torch import nn


class MeanTeacher(nn.Module):
    def __init__(self, student, decay=0.95):
        super().__init__()
        self.student = student
        self.teacher = student
        self.decay = decay

    @torch.no_grad()
    def update_teacher(self):
        for t, s in zip(self.teacher.parameters(), self.student.parameters()):
            t.mul_(self.decay).add_(s, alpha=1 - self.decay)


torch.manual_seed(50)
x = torch.randn(400, 4)
y = (x[:, 0] > 0).long()
labelled = torch.arange(40)
mt = MeanTeacher(nn.Sequential(nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, 2)))
optimizer = torch.optim.SGD(mt.student.parameters(), lr=0.1)
values = []
for step in range(120):
    b, u = labelled[torch.randperm(40)[:10]], torch.randint(0, 400, (30,))
    class_loss = nn.functional.cross_entropy(mt.student(x[b]), y[b])
    with torch.no_grad():
        target = mt.teacher(x[u]).softmax(1)
    consistency = nn.functional.mse_loss(mt.student(x[u]).softmax(1), target)
    optimizer.zero_grad()
    (class_loss + 5 * consistency).backward()
    optimizer.step()
    mt.update_teacher()
    values.append(consistency.item())
    if step % 40 == 39:
        print(f"step {step + 1}: class {class_loss.item():.4f} consistency {consistency.item():.2e}")
result = {"consistency": max(values)}
