import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(11)
features = torch.randn(300, 6)
labels = (features @ torch.tensor([1.0, -1.0, 0.5, 0.0, 0.0, 2.0]) > 0).float()
train_part, test_part = random_split(TensorDataset(features, labels), [210, 90])


class Clf(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(6, 20)
        self.out = nn.Linear(20, 1)

    def forward(self, x):
        return self.out(torch.relu(self.hidden(x))).squeeze(1)


def score(model, loader):
    model.eval()
    right = 0
    with torch.inference_mode():
        for x, y in loader:
            guess = (model(x) > 0).float()
            right = guess.eq(y).sum().item()
    return right / len(loader.dataset)


model = Clf()
adam = torch.optim.Adam(model.parameters(), lr=0.01)
bce = nn.BCEWithLogitsLoss()
train_loader = DataLoader(train_part, batch_size=30, shuffle=True)
test_loader = DataLoader(test_part, batch_size=30)
scores = []
for epoch in range(6):
    model.train()
    for x, y in train_loader:
        adam.zero_grad()
        bce(model(x), y).backward()
        adam.step()
    scores.append(score(model, test_loader))
    print(epoch, f"test accuracy {scores[-1]:.3f}")
result = {"accuracy": scores[-1]}
