import torch
import torch.nn.functional as F


class SteeringNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = torch.nn.Linear(6, 40)
        self.fc2 = torch.nn.Linear(40, 1)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = self.fc2(x)
        return x.view(-1)


def l1(model, sensors, angle):
    with torch.no_grad():
        return F.l1_loss(model(sensors), angle).item()


torch.manual_seed(31)
sensors = torch.randn(400, 6)
angle = sensors[:, 0] - sensors[:, 1] * 0.5
model = SteeringNet()
torch.nn.init.constant_(model.fc2.bias, 0.2)
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(1, 13):
    perm = torch.randperm(320)
    for i in range(0, 320, 32):
        idx = perm[i : i + 32]
        optimizer.zero_grad()
        F.l1_loss(model(sensors[idx]), angle[idx]).backward()
        optimizer.step()
    if epoch % 4 == 0:
        print("epoch %d, validation error %.4f" % (epoch, l1(model, sensors[320:], angle[320:])))
result = {"mae": l1(model, sensors[320:], angle[320:])}
