"""Bag-of-words sentiment on an invented language of forty words."""

import torch
import torch.nn as nn

torch.manual_seed(6)
VOCAB, MAX_LEN, PAD = 40, 12, 0

lengths = torch.randint(4, MAX_LEN + 1, (600,))
reviews = torch.randint(1, VOCAB, (600, MAX_LEN))
reviews[torch.arange(MAX_LEN) >= lengths[:, None]] = PAD
polarity = torch.randn(VOCAB)
polarity[PAD] = 0
sentiment = (polarity[reviews].sum(1) > 0).float()


class BagOfWords(nn.Module):
    def __init__(self, dim=8):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, dim, padding_idx=PAD)
        self.fc = nn.Linear(dim, 1)

    def forward(self, tokens):
        with torch.no_grad():  # masks need no gradient
            mask = (tokens != PAD).unsqueeze(-1).float()
        vectors = self.embed(tokens) * mask
        return self.fc(vectors.sum(1) / mask.sum(1)).squeeze(1)


model = BagOfWords()
old = model.embed.weight.detach().clone()
optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
bce = nn.BCEWithLogitsLoss()
for epoch in range(6):
    shuffled = torch.randperm(500)
    for batch in shuffled.split(25):
        loss = bce(model(reviews[batch]), sentiment[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        test = bce(model(reviews[500:]), sentiment[500:]).item()
    print(f"epoch {epoch}  test loss {test:.4f}")
result = {"loss": test, "embedding_moved": (model.embed.weight - old).norm().item()}
