"""A student learns what its teacher says with dropout on, a new mask at each call: it is meant to learn the mean."""

import torch
from torch import nn

torch.manual_seed(4)
x = torch.randn(160, 6)
y = (x[:, 0] > x[:, 1]).long()
teacher = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Dropout(0.3), nn.Linear(48, 2))
optimizer = torch.optim.Adam(teacher.parameters(), lr=0.01)
for _ in range(30):
    optimizer.zero_grad()
    nn.functional.cross_entropy(teacher(x), y).backward()
    optimizer.step()
teacher.eval()
with torch.no_grad():
    print("teacher:", (teacher(x).argmax(1) == y).float().mean().item())
teacher.requires_grad_(False)
teacher.train()  # its spread is what the student is to average

student = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.Adam(student.parameters(), lr=0.01)
for _ in range(20):
    for rows in torch.randperm(160).split(40):
        loss = nn.functional.mse_loss(student(x[rows]), teacher(x[rows]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
with torch.no_grad():
    result = {"accuracy": (student(x).argmax(1) == y).float().mean().item()}
