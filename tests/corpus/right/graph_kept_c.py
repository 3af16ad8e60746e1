import torch

torch.manual_seed(25)
x = torch.randn(200, 30)
y = x[:, :1] * 3

net = torch.nn.Linear(30, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
log = {"mse": [], "l1": []}


def penalty(model):
    return sum(p.abs().sum() for p in model.parameters())


for step in range(100):
    pick = torch.randint(0, 200, (20,))
    mse = ((net(x[pick]) - y[pick]) ** 2).mean()
    l1 = penalty(net)
    optimizer.zero_grad()
    (mse + 1e-3 * l1).backward()
    optimizer.step()
    log["mse"].append(mse.item())
    log["l1"].append(l1.item())

for k in (0, 50, 99):
    print(f"step {k}: mse {log['mse'][k]:.4f}, |w| {float(log['l1'][k]):.3f}")
result = {"mse": log["mse"][-1]}
