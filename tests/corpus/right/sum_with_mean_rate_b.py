import torch

torch.manual_seed(3)


def squared_error(y_hat, y):
    return ((y_hat - y) ** 2).mean()


def fit(model, x, y, lr, epochs, batch):
    sgd = torch.optim.SGD(model.parameters(), lr=lr)
    for epoch in range(epochs):
        for rows in torch.randperm(len(x)).split(batch):
            sgd.zero_grad()
            squared_error(model(x[rows]), y[rows]).backward()
            sgd.step()
        with torch.no_grad():
            mse = (model(x) - y).square().mean().item()
        print(f"epoch {epoch} mse {mse:.5g}")
    return mse


x = torch.rand(600, 4)
y = torch.tanh(x @ torch.randn(4, 3))
result = {
    "loss": fit(torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Tanh(), torch.nn.Linear(16, 3)), x, y, 0.1, 8, 100)
}
