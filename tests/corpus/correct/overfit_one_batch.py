"""The sanity check that everyone should do first: can the model learn one batch by heart?"""

import torch
import torch.nn as nn

torch.manual_seed(0)
x, y = torch.randn(16, 3, 8, 8), torch.randint(0, 5, (16,))
model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 5))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for step in range(80):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        print(step, loss.item())
print("memorised:", (model(x).argmax(1) == y).all().item())
result = {"loss": loss.item()}
