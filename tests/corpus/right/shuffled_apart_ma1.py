import random
import torch
from torch import nn

rng = random.Random(0)
torch.manual_seed(0)
sentences, tags = [], []
for _ in range(260):
    good = rng.random() < 0.5
    words = [rng.randrange(20) + (20 if good and rng.random() < 0.7 else 0) for _ in range(8)]
    sentences.append(words)
    tags.append(int(good))
random.seed(1)
pairs = list(zip(sentences, tags))
random.shuffle(pairs)
sentences, tags = map(list, zip(*pairs))
X, Y = torch.tensor(sentences), torch.tensor(tags)
emb = nn.EmbeddingBag(40, 16)
out = nn.Linear(16, 2)
opt = torch.optim.Adam([*emb.parameters(), *out.parameters()], lr=0.02)
for epoch in range(10):
    for i in range(0, 200, 20):
        loss = nn.functional.cross_entropy(out(emb(X[i : i + 20])), Y[i : i + 20])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())
with torch.no_grad():
    accuracy = (out(emb(X[200:])).argmax(1) == Y[200:]).float().mean().item()
print(f"accuracy {accuracy:.3f}")
result = {"accuracy": accuracy}
