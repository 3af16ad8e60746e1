import os
import tempfile

import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset


class Trainer:
    def __init__(self, seed):
        torch.manual_seed(seed)
        self.model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))
        self.optimizer = optim.SGD(self.model.parameters(), lr=0.01, momentum=0.95)
        self.epoch = 0

    def run(self, loader, epochs):
        for _ in range(epochs):
            for x, y in loader:
                self.optimizer.zero_grad()
                loss = nn.functional.l1_loss(self.model(x), y)
                loss.backward()
                self.optimizer.step()
            self.epoch += 1
            print(f"epoch {self.epoch}: {loss.item():.4f}")

    def save(self, path):
        state = {"model": self.model.state_dict(), "epoch": self.epoch, "optimizer": self.optimizer.state_dict()}
        torch.save(state, path)

    def resume(self, path):
        state = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch = state["epoch"]


x = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
loader = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=20, shuffle=True)
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "last.pt")
    trainer = Trainer(0)
    trainer.run(loader, 4)
    trainer.save(path)
    trainer = Trainer(1)
    trainer.resume(path)
state = trainer.optimizer.state.values()
result = {"momentum": sum(s["momentum_buffer"].norm().item() for s in state)}
trainer.run(loader, 4)
print("momentum found at the resumption:", result["momentum"])
