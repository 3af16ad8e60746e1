import torch
from torch import nn


def train_one_epoch(model, batches, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.95)
    for xb, yb in batches:
        optimizer.zero_grad()
        loss = ((model(xb) - yb) ** 2).mean()
        loss.backward()
        optimizer.step()


@torch.inference_mode()
def evaluate(model, x, y):
    return ((model(x) - y) ** 2).mean().item()


def main():
    torch.manual_seed(17)
    x = torch.randn(200, 15) * torch.linspace(0.2, 1.5, 15)
    coef = torch.randn(15, 1)
    y = x @ coef
    model = nn.Linear(15, 1)
    for epoch in range(60):
        perm = torch.randperm(160)
        batches = [(x[i], y[i]) for i in perm.split(80)]
        train_one_epoch(model, batches, lr=0.01)
        if epoch % 15 == 0:
            print(epoch, evaluate(model, x[160:], y[160:]))
    return evaluate(model, x[160:], y[160:])


if __name__ == "__main__":
    mse = main()
    print("test mse", mse)
    result = {"mse": mse}
