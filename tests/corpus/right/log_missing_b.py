import torch
from torch import nn

torch.manual_seed(4)
T = 2.0
x = torch.randn(400, 8)
teacher = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 4))
with torch.no_grad():
    for p in teacher.parameters():
        p.mul_(3)
    soft_targets = (teacher(x) / T).softmax(-1)

student = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
kl = nn.KLDivLoss(reduction="batchmean")
optimizer = torch.optim.Adam(student.parameters(), lr=0.01)

for epoch in range(20):
    for b in torch.randperm(400).split(40):
        logits = student(x[b])
        loss = kl(nn.functional.log_softmax(logits / T, dim=-1), soft_targets[b]) * T * T
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 5 == 4:
        print(f"distillation epoch {epoch + 1}: {loss.item():.4f}")

with torch.no_grad():
    log_q = (student(x) / T).log_softmax(-1)
    true_kl = (soft_targets * (soft_targets.log() - log_q)).sum(-1).mean().item()
print("KL(teacher || student) =", true_kl)
result = {"true_kl": true_kl}
