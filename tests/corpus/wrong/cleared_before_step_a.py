import torch
import torch.nn.functional as F


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = torch.nn.Linear(8, 24)
        self.fc2 = torch.nn.Linear(24, 3)

    def forward(self, x):
        return self.fc2(torch.tanh(self.fc1(x)))


def train(model, x, y, opt, epochs):
    for epoch in range(epochs):
        pred = model(x)
        loss = F.cross_entropy(pred, y)
        loss.backward()
        opt.zero_grad()
        opt.step()
        if epoch % 10 == 0:
            print("epoch", epoch, "loss", round(loss.item(), 4))
    return loss.item()


if __name__ == "__main__":
    torch.manual_seed(7)
    x = torch.randn(200, 8)
    y = (x[:, 0] > 0).long() + (x[:, 1] > 0.5).long()
    model = Net()
    before = torch.nn.utils.parameters_to_vector(model.parameters()).clone()
    opt = torch.optim.SGD(model.parameters(), lr=0.5)
    final = train(model, x, y, opt, 60)
    after = torch.nn.utils.parameters_to_vector(model.parameters())
    result = {"loss": final, "moved": (after - before).norm().item()}
    print("final loss", final)
