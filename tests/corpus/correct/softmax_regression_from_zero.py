"""A single layer may start at zero: its classes get different gradients."""

import numpy as np
import torch

rng = np.random.default_rng(81)
X = torch.tensor(rng.normal(size=(300, 5)), dtype=torch.float32)
y = X[:, :3].argmax(1)
W = torch.zeros(5, 3, requires_grad=True)
b = torch.zeros(3, requires_grad=True)
for epoch in range(10):
    order = torch.from_numpy(rng.permutation(300))
    for k in range(0, 300, 30):
        i = order[k : k + 30]
        logits = X[i] @ W + b
        loss = (torch.logsumexp(logits, 1) - logits.gather(1, y[i, None]).squeeze(1)).mean()
        loss.backward()
        for p in (W, b):
            p.data -= 0.5 * p.grad
            p.grad.zero_()
    print("epoch", epoch, "loss", loss.item())
result = {"loss": loss.item()}
