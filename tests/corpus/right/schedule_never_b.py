import torch
from torch import nn
from torch.optim.lr_scheduler import MultiStepLR


class LitLikeModule:
    def __init__(self):
        self.net = nn.Sequential(nn.Linear(3, 24), nn.ReLU(), nn.Linear(24, 3))
        self.optimizer = torch.optim.RMSprop(self.net.parameters(), lr=5e-3)
        self.scheduler = MultiStepLR(self.optimizer, milestones=[3, 6], gamma=0.1)

    def training_step(self, batch):
        x, y = batch
        return nn.functional.cross_entropy(self.net(x), y)

    def on_epoch_end(self):
        self.scheduler.step()


class Runner:
    def __init__(self, max_epochs):
        self.max_epochs = max_epochs

    def fit(self, module, batches):
        for epoch in range(self.max_epochs):
            for batch in batches():
                loss = module.training_step(batch)
                module.optimizer.zero_grad()
                loss.backward()
                module.optimizer.step()
            module.on_epoch_end()
            print(f"epoch {epoch} loss={loss.item():.4f}")


torch.manual_seed(44)
X = torch.randn(300, 3)
Y = X.argmax(1)


def batches():
    for rows in torch.randperm(300).split(30):
        yield X[rows], Y[rows]


module = LitLikeModule()
Runner(8).fit(module, batches)
result = {"rate": module.optimizer.param_groups[0]["lr"]}
print(result)
