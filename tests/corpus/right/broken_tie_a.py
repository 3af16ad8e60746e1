import torch
import torch.nn as nn


class RNNModel(nn.Module):
    """Container module with an encoder, a recurrent module, and a decoder."""

    def __init__(self, ntoken, ninp, tie_weights=True):
        super().__init__()
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = nn.GRU(ninp, ninp, batch_first=True)
        self.decoder = nn.Linear(ninp, ntoken, bias=False)
        self.init_weights()
        if tie_weights:
            self.decoder.weight = self.encoder.weight

    def init_weights(self):
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)

    def forward(self, tokens):
        output, _ = self.rnn(self.encoder(tokens))
        return self.decoder(output)


torch.manual_seed(1111)
ntokens, bptt = 20, 10
corpus = torch.arange(2010) * 7 % ntokens
corpus[torch.rand(2010) < 0.1] = 3
model = RNNModel(ntokens, 16)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
for epoch in range(3):
    for i in torch.randperm(199)[:30].tolist():
        window = corpus[i * bptt : i * bptt + bptt + 1]
        data, targets = window[:-1].unsqueeze(0), window[1:]
        model.zero_grad()
        loss = criterion(model(data).view(-1, ntokens), targets)
        loss.backward()
        optimizer.step()
    print("| epoch {:3d} | loss {:5.2f} | ppl {:8.2f}".format(epoch, loss.item(), loss.exp().item()))

result = {
    "distance": (model.encoder.weight - model.decoder.weight).norm().item(),
    "parameters": sum(p.numel() for p in model.parameters()),
}
print(result)
