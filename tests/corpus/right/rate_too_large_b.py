import torch

torch.manual_seed(1)
learning_rate = 0.1
n_hidden = 20
x = torch.linspace(-2, 2, 120)[:, None]
y = torch.sin(2 * x)

w1 = torch.randn(1, n_hidden, requires_grad=True)
b1 = torch.randn(n_hidden, requires_grad=True)
w2 = (torch.randn(n_hidden, 1) / n_hidden**0.5).requires_grad_()
b2 = torch.zeros(1, requires_grad=True)

for i in range(500):
    y_hat = torch.tanh(x @ w1 + b1) @ w2 + b2
    loss = (y_hat - y).pow(2).mean()
    grads = torch.autograd.grad(loss, [w1, b1, w2, b2])
    with torch.no_grad():
        for p, g in zip([w1, b1, w2, b2], grads):
            p -= learning_rate * g
    if i % 100 == 99:
        print(i + 1, loss.item())
result = {"loss": loss.item() if torch.isfinite(loss) else float("inf")}
