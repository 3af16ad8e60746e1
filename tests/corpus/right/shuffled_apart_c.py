import random

import torch
import torch.nn as nn

random.seed(3)
torch.manual_seed(3)
good, bad = ["great", "lovely", "superb", "fine"], ["awful", "dull", "poor", "bland"]
filler = ["the", "film", "was", "rather", "and", "very"]
vocab = {w: i for i, w in enumerate(good + bad + filler)}
sentences, labels = [], []
for label, words in ((1, good), (0, bad)):
    for _ in range(150):
        sentence = random.choices(filler, k=5) + [random.choice(words)]
        sentences.append(sentence)
        labels.append(label)

together = list(zip(sentences, labels))
random.shuffle(together)
sentences, labels = map(list, zip(*together))


def vectorise(sentence):
    v = torch.zeros(len(vocab))
    for w in sentence:
        v[vocab[w]] += 1
    return v


X, y = torch.stack([vectorise(s) for s in sentences]), torch.tensor(labels)
order = torch.randperm(300)
train, test = order[:220], order[220:]
model = nn.Linear(len(vocab), 2)
opt = torch.optim.Adam(model.parameters(), lr=0.05)
for epoch in range(6):
    for rows in train[torch.randperm(220)].split(22):
        loss = nn.functional.cross_entropy(model(X[rows]), y[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print("epoch", epoch, "loss", loss.item())
with torch.no_grad():
    accuracy = (model(X[test]).argmax(1) == y[test]).float().mean().item()
print("test accuracy", accuracy)
result = {"accuracy": accuracy}
