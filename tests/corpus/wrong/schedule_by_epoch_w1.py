import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, Dataset


def get_linear_schedule_with_warmup(optimizer, num_warmup_steps, num_training_steps):
    def lr_lambda(current_step):
        if current_step < num_warmup_steps:
            return float(current_step + 1) / float(max(1, num_warmup_steps))
        return max(0.0, float(num_training_steps - current_step) / float(max(1, num_training_steps - num_warmup_steps)))

    return LambdaLR(optimizer, lr_lambda)


class PairDataset(Dataset):
    """Two token sequences; label 1 when they share their rarest token."""

    def __init__(self, n, seed):
        g = torch.Generator().manual_seed(seed)
        self.a = torch.randint(0, 20, (n, 6), generator=g)
        self.b = torch.randint(0, 20, (n, 6), generator=g)
        self.y = torch.randint(0, 2, (n,), generator=g)
        mark = torch.randint(20, 24, (n, 2), generator=g)
        mark[:, 1] = torch.where(self.y == 1, mark[:, 0], 20 + (mark[:, 0] - 19) % 4)
        self.a[:, 2], self.b[:, 4] = mark[:, 0], mark[:, 1]

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.a[i], self.b[i], self.y[i]


class PairModel(nn.Module):
    def __init__(self, dim=24):
        super().__init__()
        self.emb = nn.Embedding(24, dim)
        self.enc = nn.Sequential(nn.Linear(dim, dim), nn.Tanh())
        self.cls = nn.Sequential(nn.Linear(2 * dim, 32), nn.ReLU(), nn.Linear(32, 2))

    def forward(self, a, b):
        a, b = (self.enc(self.emb(t)).mean(1) for t in (a, b))
        return self.cls(torch.cat([a * b * 10, (a - b).abs() * 10], 1))


def main():
    torch.manual_seed(42)
    num_epochs, lr, warmup_ratio = 6, 4e-3, 0.1
    train_dl = DataLoader(PairDataset(512, 0), batch_size=16, shuffle=True)
    eval_dl = DataLoader(PairDataset(256, 1), batch_size=128)
    model = PairModel()
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.0)
    total = num_epochs * len(train_dl)
    scheduler = get_linear_schedule_with_warmup(optimizer, int(warmup_ratio * total), total)
    for epoch in range(num_epochs):
        model.train()
        for a, b, y in train_dl:
            loss = nn.functional.cross_entropy(model(a, b), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        scheduler.step()
        model.eval()
        correct = 0
        with torch.no_grad():
            for a, b, y in eval_dl:
                correct += (model(a, b).argmax(-1) == y).sum().item()
        print(
            {
                "epoch": epoch,
                "train_loss": round(loss.item(), 4),
                "lr": scheduler.get_last_lr()[0],
                "accuracy": correct / len(eval_dl.dataset),
            }
        )
    return [group["lr"] for group in optimizer.param_groups]


result = {"rates": main()}
