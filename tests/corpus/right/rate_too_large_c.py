import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce

rng = np.random.default_rng(2)
torch.manual_seed(2)
age = rng.normal(50, 12, 500)
pressure = rng.normal(130, 15, 500)
risk = 1 / (1 + np.exp(-(0.08 * (age - 50) + 0.05 * (pressure - 130))))
ill = torch.tensor(rng.random(500) < risk).float()
z = torch.tensor(np.c_[(age - 50) / 12, (pressure - 130) / 15], dtype=torch.float32)

model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
for epoch in range(12):
    perm = torch.randperm(400)
    for k in range(0, 400, 20):
        rows = perm[k : k + 20]
        optimizer.zero_grad()
        loss = bce(model(z[rows]).squeeze(1), ill[rows])
        loss.backward()
        optimizer.step()
    if epoch % 3 == 2:
        print("epoch", epoch + 1, "loss of the last batch", loss.item())
with torch.no_grad():
    held_out = bce(model(z[400:]).squeeze(1), ill[400:]).item()
print("held-out loss", held_out)
result = {"loss": held_out}
