"""A word language model with tied embeddings, truncated backpropagation and repackaged hidden states."""

import math

import torch
import torch.nn as nn


def batchify(data, bsz):
    nbatch = data.size(0) // bsz
    return data.narrow(0, 0, nbatch * bsz).view(bsz, -1).t().contiguous()


def repackage_hidden(h):
    if isinstance(h, torch.Tensor):
        return h.detach()
    return tuple(repackage_hidden(v) for v in h)


class RNNModel(nn.Module):
    def __init__(self, ntoken, ninp):
        super().__init__()
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = nn.LSTM(ninp, ninp)
        self.decoder = nn.Linear(ninp, ntoken)
        self.decoder.weight = self.encoder.weight
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, tokens, hidden):
        output, hidden = self.rnn(self.encoder(tokens), hidden)
        return self.decoder(output).view(-1, self.decoder.out_features), hidden


torch.manual_seed(1111)
ntokens, bptt, bsz = 15, 10, 8
corpus = (torch.arange(2000) // 3 * 4 + torch.randint(0, 2, (2000,))) % ntokens
train_data = batchify(corpus, bsz)
model = RNNModel(ntokens, 16)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
for epoch in range(1, 4):
    hidden = (torch.zeros(1, bsz, 16), torch.zeros(1, bsz, 16))
    total_loss, batches = 0.0, 0
    for i in range(0, train_data.size(0) - 1, bptt):
        seq_len = min(bptt, len(train_data) - 1 - i)
        data, targets = train_data[i : i + seq_len], train_data[i + 1 : i + 1 + seq_len].reshape(-1)
        model.zero_grad()
        hidden = repackage_hidden(hidden)
        output, hidden = model(data, hidden)
        loss = criterion(output, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        total_loss += loss.item() * seq_len
        batches += seq_len
    print(f"| epoch {epoch} | loss {total_loss / batches:5.2f} | ppl {math.exp(total_loss / batches):8.2f}")
result = {"loss": total_loss / batches}
