import torch

torch.manual_seed(30)
X = torch.randn(400, 2) * torch.tensor([10.0, 0.1])
target = X[:, 0] * 0.1 + X[:, 1] * 10 + torch.randn(400)
w = torch.tensor([0.1, 10.0], requires_grad=True)
opt = torch.optim.AdamW([w], lr=0.02, weight_decay=0.05)
for epoch in range(30):
    for rows in torch.randperm(400).split(40):
        err = X[rows] @ w - target[rows]
        loss = (err**2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 10 == 9:
        print("epoch", epoch + 1, "loss", loss.item(), "w", w.tolist())
fractions = w.detach() / torch.tensor([0.1, 10.0])
result = {"ratio": (fractions[0] / fractions[1]).item()}
