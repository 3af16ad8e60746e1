import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class CenterLoss(nn.Module):
    def __init__(self, num_classes, feat_dim):
        super().__init__()
        self.centers = nn.Parameter(torch.randn(num_classes, feat_dim))

    def forward(self, feats, labels):
        return (feats - self.centers[labels]).pow(2).sum(1).mean()


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, padding=1)
        self.fc1 = nn.Linear(6 * 4 * 4, 2)
        self.fc2 = nn.Linear(2, 3)

    def forward(self, img):
        h = torch.max_pool2d(torch.relu(self.conv(img)), 2).flatten(1)
        feat = self.fc1(h)
        return feat, self.fc2(feat)


torch.manual_seed(5)
prototypes = torch.randn(3, 1, 8, 8)
y = torch.randint(0, 3, (320,))
images = prototypes[y] + 0.7 * torch.randn(320, 1, 8, 8)
loader = DataLoader(TensorDataset(images, y), batch_size=32, shuffle=True)

model, center_loss = ConvNet(), CenterLoss(3, 2)
xent = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD([*model.parameters(), *center_loss.parameters()], lr=0.05, momentum=0.9)
c0 = center_loss.centers.detach().clone()
for epoch in range(6):
    for img, label in loader:
        feat, logit = model(img)
        loss = xent(logit, label) + 0.1 * center_loss(feat, label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch + 1} loss {loss.item():.4f}")

result = {"centres_moved": (center_loss.centers - c0).norm().item(), "loss": loss.item()}
print(result)
