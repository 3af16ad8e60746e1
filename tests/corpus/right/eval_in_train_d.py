import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Embedding(30, 16), nn.LSTM(16, 16, num_layers=2, dropout=0.4, batch_first=True))
head = nn.Linear(16, 2)
optimizer = torch.optim.Adam([*model.parameters(), *head.parameters()], lr=5e-3)
tokens = torch.randint(0, 30, (240, 6))
labels = (tokens.float().mean(1) > 14.5).long()


def run(phase, indices):
    model.train(phase == "train")
    total = 0.0
    for batch in indices.split(40):
        with torch.set_grad_enabled(phase == "train"):
            out, _ = model(tokens[batch])
            loss = nn.functional.cross_entropy(head(out[:, -1]), labels[batch])
        if phase == "train":
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        total += loss.item() * len(batch)
    return total / len(indices)


held_out = torch.arange(200, 240)
for epoch in range(4):
    trained, shown = run("train", torch.randperm(200)), run("val", held_out)
    print(epoch, trained, shown)

model.eval()
with torch.no_grad():
    out, _ = model(tokens[held_out])
    true = nn.functional.cross_entropy(head(out[:, -1]), labels[held_out]).item()
result = {"gap": abs(shown - true)}
