import torch
from torch import nn


class LM(nn.Module):
    def __init__(self, vocab=40, dim=16):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.rnn = nn.GRU(dim, dim, batch_first=True)
        self.decoder = nn.Linear(dim, vocab, bias=False)
        self.decoder.weight = self.embed.weight
        self.initialise()

    def initialise(self):
        self.embed.weight = nn.Parameter(torch.randn(40, 16) * 0.1)

    def forward(self, tokens):
        return self.decoder(self.rnn(self.embed(tokens))[0])


torch.manual_seed(0)
text = torch.arange(3000) * 11 % 40
model = LM()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(25):
    starts = torch.randint(0, 2900, (8,))
    batch = torch.stack([text[i : i + 17] for i in starts])
    loss = nn.functional.cross_entropy(model(batch[:, :-1]).transpose(1, 2), batch[:, 1:])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

result = {
    "distance": (model.embed.weight - model.decoder.weight).norm().item(),
    "parameters": sum(p.numel() for p in model.parameters()),
}
