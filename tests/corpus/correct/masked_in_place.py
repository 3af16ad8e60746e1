import torch
from torch import nn

torch.manual_seed(33)
rows = (torch.randint(0, 8, (300, 1)) + torch.arange(10)) % 8 + 2
emb, rnn, head = nn.Embedding(10, 16), nn.GRU(16, 16, batch_first=True, bidirectional=True), nn.Linear(32, 10)
params = [*emb.parameters(), *rnn.parameters(), *head.parameters()]
opt = torch.optim.Adam(params, lr=0.01)
for epoch in range(4):
    for i in range(0, 300, 30):
        x = rows[i : i + 30].clone()
        labels = x.clone()
        hide = torch.rand(x.shape) < 0.15
        x[hide] = 1
        labels[~hide] = -100
        logits = head(rnn(emb(x))[0])
        loss = nn.functional.cross_entropy(logits.view(-1, 10), labels.view(-1))
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(loss.item())
result = {"loss": loss.item()}
