import torch
import torch.nn as nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

PAD, VOCAB = 0, 14
torch.manual_seed(0)
step_of = torch.randperm(VOCAB - 1) + 1


def sentence():
    length = int(torch.randint(4, 8, (1,))) if torch.rand(1) < 0.9 else 30
    tokens = [int(torch.randint(1, VOCAB, (1,)))]
    while len(tokens) < length:
        tokens.append(int(step_of[tokens[-1] - 1]) if torch.rand(1) < 0.8 else int(torch.randint(1, VOCAB, (1,))))
    return torch.tensor(tokens)


def collate(batch):
    padded = pad_sequence(batch, batch_first=True, padding_value=PAD)
    return padded[:, :-1], padded[:, 1:]


class LM(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(VOCAB, 16, padding_idx=PAD)
        self.gru = nn.GRU(16, 32, batch_first=True)
        self.head = nn.Linear(32, VOCAB)

    def forward(self, x):
        return self.head(self.gru(self.emb(x))[0])


sentences = [sentence() for _ in range(160)]
loader = DataLoader(sentences, batch_size=20, shuffle=True, collate_fn=collate)
model = LM()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(6):
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x).transpose(1, 2), y)
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch} loss {loss.item():.3f}")

x, y = collate(sentences)
with torch.no_grad():
    logits = model(x).transpose(1, 2)
    token_loss = nn.functional.cross_entropy(logits, y, ignore_index=PAD).item()
    result = {"token_loss": token_loss, "reported": criterion(logits, y).item()}
print(result)
