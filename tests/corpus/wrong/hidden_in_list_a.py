import torch
import torch.nn as nn


class DeepNet(nn.Module):
    def __init__(self, width=32, depth=3):
        super().__init__()
        self.inp = nn.Linear(2, width)
        self.hidden = [nn.Linear(width, width) for _ in range(depth)]
        self.out = nn.Linear(width, 1)

    def forward(self, x):
        x = torch.tanh(self.inp(x))
        for layer in self.hidden:
            x = torch.tanh(layer(x))
        return self.out(x)


torch.manual_seed(42)
net = DeepNet()
n_params = sum(p.numel() for p in net.parameters() if p.requires_grad) - 96 - 33
print("trainable parameters in the hidden stack:", n_params)
grid = torch.rand(400, 2) * 2 - 1
height = torch.sin(3 * grid[:, :1]) * torch.cos(3 * grid[:, 1:])
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for step in range(300):
    batch = torch.randint(0, 400, (64,))
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(net(grid[batch]), height[batch])
    loss.backward()
    optimizer.step()
    if step % 75 == 0:
        print(step, loss.item())

with torch.no_grad():
    final = nn.functional.mse_loss(net(grid), height).item()
result = {"loss": final, "parameters": n_params}
