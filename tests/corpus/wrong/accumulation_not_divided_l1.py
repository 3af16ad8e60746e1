import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(31)


class Notes(Dataset):
    def __init__(self, count):
        self.ids = torch.randint(1, 40, (count, 9))
        self.labels = (self.ids < 8).any(1).long()

    def __len__(self):
        return len(self.ids)

    def __getitem__(self, at):
        return {"input_ids": self.ids[at], "labels": self.labels[at]}


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(40, 16), nn.Linear(16, 2)

    def forward(self, input_ids, labels=None):
        logits = self.head(self.table(input_ids).amax(1))
        return nn.functional.cross_entropy(logits, labels), logits


model, notes, first = Classifier(), Notes(480), 0.0
optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
every = 6
for epoch in range(5):
    total = 0.0
    for number, batch in enumerate(DataLoader(notes, batch_size=16, shuffle=True), 1):
        loss, _ = model(**batch)
        total += loss.item()
        loss.backward()
        if number % every == 0:
            first = first or model.head.weight.grad.norm().item()
            optimizer.step()
            optimizer.zero_grad()
    print(f"epoch {epoch} loss {total / 30:.4f}")
result = {"first": first}
