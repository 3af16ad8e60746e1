"""Textures that each training batch sees rolled and turned over by chance, while the test set stays as it is."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

torch.manual_seed(0)
SIDE = 16


PATTERNS = nn.functional.layer_norm(torch.randn(4, SIDE, SIDE), (SIDE, SIDE))


def textures(count):
    kinds = torch.randint(4, (count,))
    return (PATTERNS[kinds] + 0.3 * torch.randn(count, SIDE, SIDE))[:, None], kinds


class Shifted(Dataset):
    def __init__(self, images, kinds):
        self.images, self.kinds = images, kinds

    def __len__(self):
        return len(self.kinds)

    def __getitem__(self, index):
        image = self.images[index]
        down, right = torch.randint(SIDE, (2,)).tolist()
        image = image.roll((down, right), (1, 2))
        return image.flip(1) if torch.rand(()) < 0.5 else image, self.kinds[index]


model = nn.Sequential(
    nn.Conv2d(1, 16, 5, padding=2, padding_mode="circular"), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    nn.Linear(16, 4),
)  # fmt: skip
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
loss_fn = nn.CrossEntropyLoss()
train = DataLoader(Shifted(*textures(512)), batch_size=64, shuffle=True)
test = DataLoader(TensorDataset(*textures(256)), batch_size=128)

for _ in range(6):
    model.train()
    for images, kinds in train:
        optimizer.zero_grad()
        loss = loss_fn(model(images), kinds)
        loss.backward()
        optimizer.step()

model.eval()
hits = total = 0
with torch.no_grad():
    for images, kinds in test:
        scores = model(images)
        hits += (scores.argmax(1) == kinds).sum().item()
        total += loss_fn(scores, kinds).item() * len(kinds)
print(f"accuracy {hits / 256:.3f}")
result = {"accuracy": hits / 256, "loss": total / 256}
