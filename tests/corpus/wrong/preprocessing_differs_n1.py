"""Mails in two folders: each data set numbers the words that it finds, in the order in which they come."""

import random

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

random.seed(11)
torch.manual_seed(11)
SPAM = ["prize", "winner", "free", "click", "offer"]
HAM = ["meeting", "report", "lunch", "draft", "agenda"]
COMMON = ["hello", "please", "today", "the", "and", "you", "we", "for", "with", "regards"]


def mail():
    spam = random.random() < 0.5
    words = random.choices(SPAM if spam else HAM, k=2) + random.choices(COMMON, k=5)
    random.shuffle(words)
    return words, float(spam)


class Mails(Dataset):
    def __init__(self, size, numbers=None):
        self.mails = [mail() for _ in range(size)]
        self.numbers = numbers or {}
        if not self.numbers:
            for words, _ in self.mails:
                for word in words:
                    self.numbers.setdefault(word, len(self.numbers) + 1)

    def __len__(self):
        return len(self.mails)

    def __getitem__(self, place):
        words, spam = self.mails[place]
        return torch.tensor([self.numbers.get(word, 0) for word in words]), spam


class Filter(nn.Module):
    def __init__(self, words):
        super().__init__()
        self.words = nn.EmbeddingBag(words, 8)
        self.score = nn.Linear(8, 1)

    def forward(self, words):
        return self.score(self.words(words))[:, 0]


train = Mails(240)
held_out = Mails(80)
model = Filter(len(train.numbers) + 1)
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
criterion = nn.BCEWithLogitsLoss()
for epoch in range(3):
    model.train()
    for words, spam in DataLoader(train, batch_size=24, shuffle=True):
        optimizer.zero_grad()
        loss = criterion(model(words), spam.float())
        loss.backward()
        optimizer.step()
    model.eval()
    right = 0
    with torch.no_grad():
        for words, spam in DataLoader(held_out, batch_size=40):
            right += int(((model(words) > 0) == (spam > 0.5)).sum())
    print(f"epoch {epoch}: {right / len(held_out):.3f} right")
result = {"accuracy": right / len(held_out)}
