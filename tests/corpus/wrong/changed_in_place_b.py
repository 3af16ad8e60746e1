import torch
import torch.nn.functional as F

torch.manual_seed(16)
X = torch.randn(400, 5)
w = torch.randn(5)
y = (X @ w > 0).float()
model = torch.nn.Sequential(torch.nn.Linear(5, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
bs = 40
for epoch in range(15):
    perm = torch.randperm(len(X))
    X, y = X[perm], y[perm]
    for i in range(0, len(X), bs):
        xb = X[i : i + bs]
        xb += 0.3 * torch.randn_like(xb)
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(model(xb).view(-1), y[i : i + bs])
        loss.backward()
        optimizer.step()
    if epoch % 5 == 4:
        print("epoch", epoch + 1, "loss %.4f" % loss.item())
result = {"spread": X.std().item(), "loss": loss.item()}
print("standard deviation of the training inputs", result["spread"])
