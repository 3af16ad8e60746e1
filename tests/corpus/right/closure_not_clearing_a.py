import torch
import torch.nn as nn
import torch.optim as optim

torch.manual_seed(0)
t = torch.linspace(0, 8, 100).unsqueeze(1)
y = torch.exp(-0.3 * t) * torch.cos(2 * t)
net = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1)).double()
t, y = t.double(), y.double()
criterion = nn.MSELoss()
optimizer = optim.LBFGS(net.parameters(), lr=0.8)

for i in range(6):
    print("STEP: ", i)

    def closure():
        optimizer.zero_grad()
        out = net(t)
        loss = criterion(out, y)
        loss.backward()
        return loss

    loss = optimizer.step(closure)
    print("loss:", loss.item())

result = {"loss": criterion(net(t), y).item()}
