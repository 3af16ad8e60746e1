"""A frozen teacher in eval mode, a student with temperature, hard and soft losses mixed."""

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(24)
x = torch.randn(500, 8)
y = x[:, :4].argmax(1)
teacher = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 4))
opt = torch.optim.Adam(teacher.parameters(), lr=0.01)
for epoch in range(5):
    for i in torch.randperm(500).split(50):
        opt.zero_grad()
        F.cross_entropy(teacher(x[i]), y[i]).backward()
        opt.step()

teacher.eval()
student = nn.Linear(8, 4)
optimizer = torch.optim.Adam(student.parameters(), lr=0.02)
T, alpha = 3.0, 0.7
for epoch in range(6):
    student.train()
    for i in torch.randperm(500).split(50):
        with torch.no_grad():
            soft = F.softmax(teacher(x[i]) / T, dim=1)
        logits = student(x[i])
        distill = F.kl_div(F.log_softmax(logits / T, dim=1), soft, reduction="batchmean") * T * T
        loss = alpha * distill + (1 - alpha) * F.cross_entropy(logits, y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print("epoch", epoch, "loss", round(loss.item(), 4))
result = {"loss": loss.item()}
