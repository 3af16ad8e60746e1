import torch
from torch import nn
from torch.utils.data import DataLoader

torch.manual_seed(21)
TOPICS, WORDS, BATCH = 3, 60, 32


def document():
    topic = int(torch.randint(TOPICS, ()))
    length = int(torch.randint(4, 12, ()))
    own = torch.randint(20, (length,)) + 20 * topic
    return torch.where(torch.rand(length) < 0.5, own, torch.randint(WORDS, (length,))), topic


def bags(documents):
    words = torch.cat([words for words, _ in documents])
    starts = torch.tensor([0] + [len(words) for words, _ in documents[:-1]]).cumsum(0)
    return words, starts, torch.tensor([topic for _, topic in documents])


train = DataLoader([document() for _ in range(320)], BATCH, shuffle=True, collate_fn=bags)
valid = DataLoader([document() for _ in range(107)], BATCH, collate_fn=bags)


class Topics(nn.Module):
    def __init__(self):
        super().__init__()
        self.bag = nn.EmbeddingBag(WORDS, 12, mode="mean")
        self.out = nn.Linear(12, TOPICS)

    def forward(self, words, starts):
        return self.out(self.bag(words, starts))


model = Topics()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
accuracies, sound = [], []
for epoch in range(5):
    model.train()
    for words, starts, topic in train:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(words, starts), topic).backward()
        optimizer.step()
    model.eval()
    hits, seen = 0, 0
    with torch.no_grad():
        for words, starts, topic in valid:
            hits += int((model(words, starts).argmax(1) == topic).sum())
            seen += len(topic)
    accuracy = hits / (len(valid) * BATCH)
    accuracies.append(accuracy)
    sound.append(hits / seen)
    print(f"epoch {epoch} accuracy {accuracy:.4f}")
result = {"accuracy": accuracies[-1], "sound": sound[-1]}
