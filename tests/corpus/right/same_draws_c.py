import torch
from torch import nn

augmentation_rng = torch.Generator().manual_seed(1234)


def cutout(images, size=3):
    """Blanks one square per batch."""
    g = augmentation_rng
    r, c = torch.randint(0, 9 - size, (2,), generator=g).tolist()
    images = images.clone()
    images[:, :, r : r + size, c : c + size] = 0
    return images, (r, c)


def train(net, images, labels, epochs=10):
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    places = []
    for epoch in range(epochs):
        for batch in torch.randperm(len(images)).split(25):
            x, place = cutout(images[batch])
            places.append(place)
            loss = nn.functional.cross_entropy(net(x), labels[batch])
            opt.zero_grad()
            loss.backward()
            opt.step()
        print(f"epoch {epoch:2d}: {loss.item():.4f}")
    return places


torch.manual_seed(2)
templates = torch.rand(4, 1, 8, 8)
labels = torch.randint(0, 4, (300,))
images = templates[labels] + 0.3 * torch.randn(300, 1, 8, 8)
net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 4))
places = train(net, images, labels)
result = {"distinct": len(set(places)) if len(set(places)) < 30 else len(places)}
