import torch
from torch import nn, optim

torch.manual_seed(23)
WARMUP_STEPS, TOTAL_STEPS = 40, 100


def rate_factor(step):
    if step < WARMUP_STEPS:
        return (step + 1) / WARMUP_STEPS
    return 1.0


x = torch.randn(200, 5)
y = torch.cos(x.sum(1, keepdim=True))
mlp = nn.Sequential(nn.Linear(5, 64), nn.Tanh(), nn.Linear(64, 1))
adam = optim.Adam(mlp.parameters(), lr=0.01)
scheduler = optim.lr_scheduler.LambdaLR(adam, rate_factor)
for epoch in range(TOTAL_STEPS // 10):
    for rows in torch.randperm(200).chunk(10):
        adam.zero_grad()
        loss = (mlp(x[rows]) - y[rows]).square().mean()
        loss.backward()
        adam.step()
    scheduler.step()
    if epoch % 3 == 0:
        print(f"epoch {epoch}, loss {loss.item():.4f}, lr {adam.param_groups[0]['lr']:.5f}")
result = {"rate": adam.param_groups[0]["lr"], "loss": loss.item()}
