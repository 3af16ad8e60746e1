import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

torch.manual_seed(0)
x = torch.randn(400, 10)
y = x @ torch.randn(10, 1)
y[::40] *= 60  # a few broken sensors

model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
clean = torch.ones(400, dtype=torch.bool)
clean[::40] = False

largest = 0.0
for epoch in range(10):
    for idx in torch.randperm(400).split(20):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x[idx]), y[idx])
        loss.backward()
        old = nn.utils.parameters_to_vector(model.parameters()).detach()
        optimizer.step()
        clip_grad_norm_(model.parameters(), max_norm=1.0)
        new = nn.utils.parameters_to_vector(model.parameters()).detach()
        largest = max(largest, (new - old).norm().item())
    print(f"epoch {epoch} last batch {loss.item():.3f}")

with torch.no_grad():
    clean_loss = nn.functional.mse_loss(model(x[clean]), y[clean]).item()
print(f"error on the sound sensors {clean_loss:.4f}, largest step {largest:.4f}")
result = {"loss": clean_loss, "largest_step": largest}
