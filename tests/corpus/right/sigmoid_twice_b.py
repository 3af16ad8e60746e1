import torch
import torch.nn.functional as F

torch.manual_seed(15)
n, d, k = 400, 10, 6
X = torch.randn(n, d)
Y = (X @ torch.randn(d, k) > 1.5).float()

weights = torch.zeros(d, k, requires_grad=True)
bias = torch.zeros(k, requires_grad=True)
opt = torch.optim.SGD([weights, bias], lr=1.0)


def predict(x):
    return torch.sigmoid(x @ weights + bias)


for it in range(100):
    scores = X @ weights + bias
    loss = F.binary_cross_entropy_with_logits(scores, Y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if it % 25 == 0:
        print("iter", it, "loss", f"{loss.item():.4f}")

with torch.no_grad():
    hits = (predict(X) > 0.5).float()
    f1 = (2 * (hits * Y).sum() / (hits.sum() + Y.sum())).item()
print("micro F1 on the training set", f1)
result = {"f1": f1}
