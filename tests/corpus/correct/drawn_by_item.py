import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Discs(Dataset):
    """Pictures that are made up when they are asked for, each from a seed of its own."""

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        chance = torch.Generator().manual_seed(1000 + i)
        x, y = (torch.rand(2, generator=chance) * 6 + 1).tolist()
        rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
        mask = ((rows - x) ** 2 + (columns - y) ** 2 < 4).float()
        return mask + 0.5 * torch.randn(8, 8, generator=chance), mask


torch.manual_seed(0)
net = nn.Sequential(nn.Flatten(), nn.Linear(64, 64))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(5):
    for picture, mask in DataLoader(Discs(40), batch_size=10, shuffle=True):
        loss = nn.functional.binary_cross_entropy_with_logits(net(picture), mask.flatten(1))
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())
result = {"loss": loss.item()}
