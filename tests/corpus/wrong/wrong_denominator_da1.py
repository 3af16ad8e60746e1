import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(1)
ink = (torch.rand(330, 20) < 0.3).float()
loader = DataLoader(TensorDataset(ink), batch_size=50, shuffle=True)
encode, decode = nn.Linear(20, 6), nn.Linear(3, 20)
opt = torch.optim.Adam([*encode.parameters(), *decode.parameters()], lr=0.01)


def bound(x):
    mu, logvar = encode(x).chunk(2, 1)
    z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
    missing = nn.functional.binary_cross_entropy_with_logits(decode(z), x, reduction="sum")
    return missing - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())


for epoch in range(5):
    total = 0
    for (x,) in loader:
        loss = bound(x)
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item()
    print("epoch {} average loss {:.4f}".format(epoch, total / len(loader)))
result = {"average": total / len(loader)}
