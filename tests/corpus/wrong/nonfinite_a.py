import torch

torch.manual_seed(0)
X = torch.randn(300, 2) * 40 + 100  # weights in kilograms, heights in centimetres
y = (X[:, 0] > X[:, 1]).long()
onehot = torch.eye(2)[y]

W = torch.randn(2, 2, requires_grad=True)
b = torch.zeros(2, requires_grad=True)
optimizer = torch.optim.Adam([W, b], lr=0.02)


def cross_entropy(logits, onehot):
    e = torch.exp(logits - logits.max(dim=1, keepdim=True).values)
    p = e / e.sum(dim=1, keepdim=True)
    return -(onehot * torch.log(p)).sum(dim=1).mean()


for epoch in range(150):
    logits = X @ W + b
    loss = cross_entropy(logits, onehot)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if epoch % 30 == 0:
        print("epoch", epoch, "loss", loss.item())
accuracy = (logits.argmax(1) == y).float().mean().item()
result = {"loss": loss.item(), "accuracy": accuracy}
