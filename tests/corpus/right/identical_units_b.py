import torch

torch.manual_seed(19)
X = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
t = torch.tensor([[0.0], [1.0], [1.0], [0.0]])

H = 10
W1 = torch.randn(2, H).requires_grad_()
W2 = torch.randn(H, 1).requires_grad_()
b1 = torch.zeros(H, requires_grad=True)
b2 = torch.zeros(1, requires_grad=True)

for it in range(400):
    h = torch.sigmoid(X @ W1 + b1)
    y = torch.sigmoid(h @ W2 + b2)
    loss = -(t * y.log() + (1 - t) * (1 - y).log()).mean()
    loss.backward()
    with torch.no_grad():
        for p in (W1, b1, W2, b2):
            p -= 1.0 * p.grad
            p.grad = None
    if it % 100 == 0:
        print(f"{it:4d} loss {loss.item():.4f}")

print("outputs", y.detach().flatten().tolist())
columns = len({tuple(round(v, 4) for v in column) for column in W1.detach().t().tolist()})
result = {"columns": columns, "loss": loss.item()}
