import io

import torch
import torch.nn as nn

torch.manual_seed(0)
X = torch.randn(256, 10)
Y = X @ torch.randn(10, 1)


def make():
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 1))
    return net, torch.optim.Adam(net.parameters(), lr=0.02)


def train(net, opt, first, last):
    losses = []
    for epoch in range(first, last):
        opt.zero_grad()
        loss = nn.functional.mse_loss(net(X), Y)
        loss.backward()
        opt.step()
        losses.append(loss.item())
        if epoch % 50 == 49:
            print(f"epoch {epoch + 1} loss {loss.item():.6f}")
    return losses


net, opt = make()
before = train(net, opt, 0, 200)
file = io.BytesIO()
torch.save({"epoch": 200, "model": net.state_dict()}, file)

print("resuming")
file.seek(0)
checkpoint = torch.load(file)
net, opt = make()
net.load_state_dict(checkpoint["model"])
after = train(net, opt, checkpoint["epoch"], 250)
result = {"jump": max(after) / before[-1]}
print("largest loss after resuming over the last before:", result["jump"])
