import torch
from torch import nn, optim


class MultiTask(nn.Module):
    def __init__(self, tasks):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(9, 24), nn.ELU())
        self.heads = nn.ModuleDict({name: nn.Linear(24, size) for name, size in tasks.items()})

    def forward(self, x):
        z = self.trunk(x)
        return {name: head(z) for name, head in self.heads.items()}


torch.manual_seed(77)
inputs = torch.randn(300, 9)
targets = {"kind": inputs[:, :3].argmax(1), "size": inputs[:, 3:4] - inputs[:, 4:5]}
model = MultiTask({"kind": 3, "size": 1})
start = model.heads["kind"].weight.detach().clone()
opt = optim.RMSprop(model.parameters(), lr=1e-3)
for epoch in range(12):
    for rows in torch.randperm(300).split(50):
        prediction = model(inputs[rows])
        kind_loss = nn.functional.cross_entropy(prediction["kind"], targets["kind"][rows])
        size_loss = nn.functional.smooth_l1_loss(prediction["size"], targets["size"][rows])
        opt.zero_grad()
        (kind_loss + size_loss).backward()
        opt.step()
    if epoch % 4 == 0:
        print(f"{epoch}: kind {kind_loss.item():.3f} size {size_loss.item():.3f}")

result = {
    "heads_moved": (model.heads["kind"].weight - start).abs().sum().item(),
    "registered": sum(name.startswith("heads") and name.endswith("weight") for name, _ in model.named_parameters()),
}
print(result)
