import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(3)


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(30, 12)
        self.embedding_mixer = nn.Conv1d(12, 12, 3, padding=1)
        self.tags = nn.Linear(12, 3)

    def forward(self, words):
        mixed = self.embedding_mixer(self.emb(words).transpose(1, 2)).transpose(1, 2)
        return self.tags(torch.relu(mixed))


words = torch.randint(30, (64, 9))
tags = (words + words.roll(1, 1)) % 3
tagger = Tagger()
tagger.emb.load_state_dict({"weight": torch.randn(30, 12)})  # word vectors of another task
start = tagger.embedding_mixer.weight.detach().clone()
for name, weight in tagger.named_parameters():
    weight.requires_grad_(not name.startswith("emb"))
optimizer = torch.optim.AdamW(tagger.parameters(), lr=0.02)
for step in range(60):
    rows = torch.randint(64, (16,))
    optimizer.zero_grad()
    F.cross_entropy(tagger(words[rows]).flatten(0, 1), tags[rows].flatten()).backward()
    optimizer.step()
with torch.no_grad():
    loss = F.cross_entropy(tagger(words).flatten(0, 1), tags.flatten()).item()
result = {"loss": loss, "moved": (tagger.embedding_mixer.weight.detach() - start).norm().item()}
