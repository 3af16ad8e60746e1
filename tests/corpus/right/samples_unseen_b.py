import torch


class Perceptron(torch.nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.fc = torch.nn.Linear(n_in, n_out)

    def forward(self, x):
        return self.fc(x)


def run_epoch(net, x, y, optimizer, batch_size=50):
    perm = torch.randperm(len(x))
    for idx in perm.split(batch_size):
        optimizer.zero_grad()
        torch.nn.functional.multi_margin_loss(net(x[idx]), y[idx]).backward()
        optimizer.step()


@torch.no_grad()
def evaluate(net, x, y, batch_size=50):
    net.eval()
    hits, scored = 0, 0
    for xb, yb in zip(x.split(batch_size), y.split(batch_size)):
        hits += (net(xb).argmax(-1) == yb).sum().item()
        scored += len(yb)
    net.train()
    return hits / scored, scored


torch.manual_seed(9)
x = torch.randn(690, 7)
y = x[:, :3].argmax(1)
net = Perceptron(7, 3)
sgd = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(6):
    run_epoch(net, x[:500], y[:500], sgd)
    accuracy, scored = evaluate(net, x[500:], y[500:])
    print(f"epoch {epoch + 1}: validation accuracy {accuracy:.3f} on {scored} samples")
result = {"accuracy": accuracy, "scored": scored}
