import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class TextCNN(nn.Module):
    """Convolution over word vectors, one projection whose size depends on the input."""

    def __init__(self, vocab, dim, classes):
        super().__init__()
        self.embedding = nn.Embedding(vocab, dim)
        self.conv = nn.Conv1d(dim, 8, kernel_size=3)
        self.classes = classes
        self.proj = None

    def forward(self, tokens):
        h = torch.relu(self.conv(self.embedding(tokens).transpose(1, 2)))
        h = h.flatten(1)
        if self.proj is None:
            self.proj = nn.Linear(h.size(1), self.classes)
        return self.proj(h)


torch.manual_seed(3)
tokens = torch.randint(0, 30, (256, 10))
labels = (tokens == 7).any(1).long()
loader = DataLoader(TensorDataset(tokens, labels), batch_size=32, shuffle=True)
net = TextCNN(30, 6, 2)
net(tokens[:1])  # builds the projection
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)

first = None
for epoch in range(5):
    for t, l in loader:
        loss = nn.functional.cross_entropy(net(t), l)
        if first is None:
            first = net.proj.weight.detach().clone()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch}: {loss.item():.4f}")

result = {"proj_moved": (net.proj.weight - first).norm().item()}
