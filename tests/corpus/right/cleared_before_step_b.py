import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


class Trainer:
    def __init__(self, model, train_set, val_set, lr=3e-3):
        self.model = model
        self.loader = DataLoader(train_set, batch_size=50, shuffle=True)
        self.val_loader = DataLoader(val_set, batch_size=50)
        self.loss_fn = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.01)
        self.grad_norms = []

    def log_gradients(self):
        model = self.model
        squares = [p.grad.pow(2).sum() for p in model.parameters() if p.grad is not None]
        self.grad_norms.append(torch.stack(squares).sum().sqrt().item())

    def train_one_epoch(self):
        self.model.train()
        for xb, yb in self.loader:
            self.model.zero_grad()
            loss = self.loss_fn(self.model(xb), yb)
            loss.backward()
            self.log_gradients()
            self.optimizer.step()

    @torch.no_grad()
    def validate(self):
        self.model.eval()
        hits = sum((self.model(xb).argmax(-1) == yb).sum().item() for xb, yb in self.val_loader)
        return hits / len(self.val_loader.dataset)

    def fit(self, epochs):
        for e in range(epochs):
            self.train_one_epoch()
            print(f"epoch {e}: grad norm {self.grad_norms[-1]:.3f}  val acc {self.validate():.3f}")


def main():
    torch.manual_seed(0)
    x = torch.rand(800, 2) * 2 - 1
    y = (x[:, 0] * x[:, 1] > 0).long()
    train_set, val_set = random_split(TensorDataset(x, y), [600, 200])
    net = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))
    trainer = Trainer(net, train_set, val_set)
    trainer.fit(8)
    return {"accuracy": trainer.validate()}


if __name__ == "__main__":
    result = main()
    print(result)
