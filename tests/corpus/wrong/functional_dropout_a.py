import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(1, 4, kernel_size=3)
        self.conv2 = nn.Conv2d(4, 8, kernel_size=3)
        self.fc1 = nn.Linear(32, 24)
        self.fc2 = nn.Linear(24, 4)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(self.conv2(x))
        x = x.view(-1, 32)
        x = F.relu(self.fc1(x))
        x = F.dropout(x, p=0.4)
        return F.log_softmax(self.fc2(x), dim=1)


torch.manual_seed(1)
marks = torch.randn(4, 1, 10, 10)
target = torch.randint(0, 4, (400,))
images = marks[target] + torch.randn(400, 1, 10, 10)
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5)
for epoch in range(1, 5):
    model.train()
    for i in torch.randperm(300).split(30):
        optimizer.zero_grad()
        loss = F.nll_loss(model(images[i]), target[i])
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        test_loss = F.nll_loss(model(images[300:]), target[300:]).item()
    print(f"epoch {epoch} train {loss.item():.4f} test {test_loss:.4f}")

with torch.no_grad():
    answers = torch.stack([model(images[300:]) for _ in range(5)])
result = {"spread": answers.std(0).mean().item()}
