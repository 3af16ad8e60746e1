import torch
import torch.nn as nn

torch.manual_seed(2)


class SmallNet(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(10, 32), nn.ReLU())
        self.fc = nn.Linear(32, num_classes)

    def forward(self, x):
        return self.fc(self.body(x))


def run(model, optimizer, x, y, epochs, tag):
    for epoch in range(epochs):
        for idx in torch.randperm(len(x)).split(40):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[idx]), y[idx])
            loss.backward()
            optimizer.step()
        print(f"[{tag}] epoch {epoch} loss {loss.item():.4f}")


x = torch.randn(400, 10)
coarse = (x[:, 0] > 0).long()
fine = coarse * 2 + (x[:, 1] > 0).long()

model = SmallNet(2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
run(model, optimizer, x, coarse, 3, "pretrain")

# fine-tune on four classes
model.fc = nn.Linear(32, 4)
optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
head = model.fc.weight.detach().clone()
run(model, optimizer, x, fine, 5, "finetune")

result = {"head_moved": (model.fc.weight - head).norm().item()}
print(result)
