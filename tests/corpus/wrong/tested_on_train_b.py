import torch
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset

torch.manual_seed(6)
full = TensorDataset(torch.randn(120, 30), torch.randint(0, 2, (120,)))  # labels are noise: nothing can be learned
order = torch.randperm(120).tolist()
val_idx = order[:30]
train_idx = order
train_dl = DataLoader(Subset(full, train_idx), batch_size=10, shuffle=True)
val_dl = DataLoader(Subset(full, val_idx), batch_size=30)


class Learner:
    def __init__(self, model):
        self.model = model
        self.opt = torch.optim.AdamW(model.parameters(), lr=0.01)

    def one_pass(self, dl, train):
        self.model.train(train)
        total, n = 0.0, 0
        with torch.set_grad_enabled(train):
            for xb, yb in dl:
                loss = nn.functional.cross_entropy(self.model(xb), yb)
                if train:
                    self.opt.zero_grad()
                    loss.backward()
                    self.opt.step()
                total, n = total + loss.item() * len(yb), n + len(yb)
        return total / n


learner = Learner(nn.Sequential(nn.Linear(30, 50), nn.ReLU(), nn.Linear(50, 2)))
for epoch in range(6):
    train_loss = learner.one_pass(train_dl, True)
    val_loss = learner.one_pass(val_dl, False)
    print(f"{epoch}: train {train_loss:.3f} valid {val_loss:.3f}")
result = {"val_loss": val_loss}
