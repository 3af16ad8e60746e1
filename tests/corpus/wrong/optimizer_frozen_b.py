import torch
from torch import nn

torch.manual_seed(14)
net = nn.ModuleDict({"features": nn.Linear(20, 20), "classifier": nn.Linear(20, 2)})
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-2)
xs = torch.randn(300, 20)
ys = (xs[:, :3].sum(1) > 0).long()


def step(batch):
    out = net["classifier"](torch.relu(net["features"](xs[batch])))
    loss = nn.functional.cross_entropy(out, ys[batch])
    optimizer.zero_grad(set_to_none=False)
    loss.backward()
    optimizer.step()
    return loss.item()


print("stage 1: everything")
for epoch in range(4):
    losses = [step(b) for b in torch.randperm(300).split(30)]
    print(f"  {sum(losses) / len(losses):.4f}")

print("stage 2: the classifier alone")
for p in net["features"].parameters():
    p.requires_grad_(False)
features = net["features"].weight.clone()
for epoch in range(4):
    losses = [step(b) for b in torch.randperm(300).split(30)]
    print(f"  {sum(losses) / len(losses):.4f}")

result = {"drift": (net["features"].weight - features).norm().item()}
print("frozen features drifted by", result["drift"])
