import math

import torch
from torch import nn

torch.manual_seed(8)


class Reader(nn.Module):
    """One learned question looks through the words of each sentence."""

    def __init__(self, words, size, answers):
        super().__init__()
        self.words = nn.Embedding(words, size)
        self.question = nn.Parameter(torch.randn(1, 1, size))
        self.keys = nn.Linear(size, size)
        self.answer = nn.Linear(size, answers)

    def forward(self, sentences):
        states = self.words(sentences)
        question = self.question.expand(len(sentences), 1, -1)
        scores = torch.bmm(question, self.keys(states).transpose(1, 2)) / math.sqrt(states.shape[2])
        attention = scores.softmax(2)
        return self.answer(torch.bmm(attention, states).squeeze(1))


def sentences(count):
    text = torch.randint(10, 40, (count, 7))
    label = torch.randint(4, (count,))
    text[torch.arange(count), torch.randint(7, (count,))] = label
    return text, label


reader = Reader(40, 16, 4)
optimizer = torch.optim.Adam(reader.parameters(), lr=0.02)
criterion = nn.CrossEntropyLoss()
for _ in range(150):
    text, label = sentences(48)
    loss = criterion(reader(text), label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
with torch.no_grad():
    text, label = sentences(200)
    together = reader(text)
    single = torch.cat([reader(text[i : i + 1]) for i in range(50)])
    apart = (together[:50] - single).abs().max().item()
    accuracy = (together.argmax(1) == label).float().mean().item()
print(f"accuracy {accuracy:.3f}, a sentence alone differs by {apart:.2g}")
result = {"apart": apart, "accuracy": accuracy}
