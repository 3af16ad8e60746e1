from __future__ import print_function

import argparse

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, 1)
        self.fc1 = nn.Linear(4 * 3 * 3, 16)
        self.fc2 = nn.Linear(16, 5)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.max_pool2d(x, 2)
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        return F.softmax(self.fc2(x), dim=1)


def train(args, model, train_loader, optimizer, epoch):
    model.train()
    for batch_idx, (data, target) in enumerate(train_loader):
        optimizer.zero_grad()
        output = model(data)
        loss = F.nll_loss(output, target)
        loss.backward()
        optimizer.step()
        if batch_idx % args.log_interval == 0:
            print("Train Epoch: {} [{}/{}]\tLoss: {:.6f}".format(epoch, batch_idx * len(data), 400, loss.item()))
    return loss.item()


def main():
    parser = argparse.ArgumentParser(description="Small image example")
    parser.add_argument("--batch-size", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--log-interval", type=int, default=5)
    args = parser.parse_args()

    torch.manual_seed(1)
    glyphs = torch.randn(5, 1, 8, 8)
    target = torch.randint(0, 5, (400,))
    dataset = torch.utils.data.TensorDataset(glyphs[target] + 0.8 * torch.randn(400, 1, 8, 8), target)
    train_loader = torch.utils.data.DataLoader(dataset, batch_size=args.batch_size, shuffle=True)
    model = Net()
    optimizer = optim.SGD(model.parameters(), lr=args.lr)
    for epoch in range(1, args.epochs + 1):
        last = train(args, model, train_loader, optimizer, epoch)

    model.eval()
    fresh = glyphs[target] + 0.8 * torch.randn(400, 1, 8, 8)
    with torch.no_grad():
        log_probs = model(fresh).log()
    return {"loss": last, "logloss": -log_probs.gather(1, target[:, None]).mean().item()}


if __name__ == "__main__":
    result = main()
    print(result)
