import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader

torch.manual_seed(4)


class SegNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(1, 8, 3, padding=1)
        self.up = nn.Conv2d(8, 1, 3, padding=1)

    def forward(self, x):
        return self.up(F.relu(self.down(x)))


corner = torch.randint(0, 6, (240, 2))
rows = torch.arange(10)
inside_y = (rows >= corner[:, :1]) & (rows < corner[:, :1] + 4)
inside_x = (rows >= corner[:, 1:]) & (rows < corner[:, 1:] + 4)
masks = (inside_y[:, :, None] & inside_x[:, None, :]).float().unsqueeze(1)
images = masks + 0.4 * torch.randn(240, 1, 10, 10)

image_loader = DataLoader(images, batch_size=24, shuffle=True)
mask_loader = DataLoader(masks, batch_size=24, shuffle=True)
model = SegNet()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
for epoch in range(5):
    for image, mask in zip(image_loader, mask_loader):
        loss = F.binary_cross_entropy_with_logits(model(image), mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch} | bce {loss.item():.4f}")
result = {"loss": loss.item()}
