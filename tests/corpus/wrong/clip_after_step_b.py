import math

import torch


class SequencePredictor(torch.nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.lstm1 = torch.nn.LSTMCell(1, hidden)
        self.linear = torch.nn.Linear(hidden, 1)

    def forward(self, series):
        outputs = []
        h = c = torch.zeros(series.size(0), self.lstm1.hidden_size)
        for value in series.split(1, dim=1):
            h, c = self.lstm1(value, (h, c))
            outputs.append(self.linear(h))
        return torch.cat(outputs, dim=1)


torch.manual_seed(8)
phase = torch.rand(40, 1) * 2 * math.pi
wave = 4 * torch.sin(torch.arange(25) * 0.4 + phase)
seq = SequencePredictor()
criterion = torch.nn.MSELoss()
optimizer = torch.optim.SGD(seq.parameters(), lr=0.1)
largest_step = 0.0
for i in range(25):
    optimizer.zero_grad()
    out = seq(wave[:, :-1])
    loss = criterion(out, wave[:, 1:])
    loss.backward()
    before = [p.detach().clone() for p in seq.parameters()]
    optimizer.step()
    torch.nn.utils.clip_grad_value_(seq.parameters(), 0.1)
    largest_step = max(largest_step, *((p - q).abs().max().item() for p, q in zip(seq.parameters(), before)))
    if i % 5 == 0:
        print("STEP:", i, "loss:", loss.item())

result = {"largest_step": largest_step, "loss": loss.item()}
