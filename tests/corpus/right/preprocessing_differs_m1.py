import random

import torch
from torch import nn

ON, OFF = ["brighter", "up", "open", "start"], ["darker", "down", "close", "stop"]
THINGS = ["lamp", "blinds", "heating", "radio", "door", "music"]


def command(rng):
    wanted = rng.random() < 0.5
    words = ["please", rng.choice(ON if wanted else OFF), "the", rng.choice(THINGS), "now"]
    rng.shuffle(words)
    if rng.random() < 0.9:
        words = [word.upper() if rng.random() < 0.5 else word.capitalize() for word in words]
    return " ".join(words), float(wanted)


class Tagger(nn.Module):
    def __init__(self, words):
        super().__init__()
        self.numbers = {word: place for place, word in enumerate(words, 1)}
        self.bag = nn.EmbeddingBag(len(words) + 1, 8)
        self.out = nn.Linear(8, 1)

    def read(self, text):
        return torch.tensor([[self.numbers.get(word, 0) for word in text.split()]])

    def forward(self, numbers):
        return self.out(self.bag(numbers)).squeeze(1)


rng = random.Random(6)
torch.manual_seed(6)
known = [(text.lower(), wanted) for text, wanted in (command(rng) for _ in range(120))]
fresh = [command(rng) for _ in range(60)]
tagger = Tagger(sorted({word for text, _ in known for word in text.split()}))
opt = torch.optim.Adam(tagger.parameters(), lr=0.02)
for epoch in range(3):
    for text, wanted in known:
        opt.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(tagger(tagger.read(text)), torch.tensor([wanted])).backward()
        opt.step()
tagger.eval()
right = 0
with torch.no_grad():
    for text, wanted in ((text.lower(), wanted) for text, wanted in fresh):
        right += int((tagger(tagger.read(text)) > 0).item() == bool(wanted))
result = {"accuracy": right / len(fresh)}
