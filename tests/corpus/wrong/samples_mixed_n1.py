"""A GRU on a long row of digits, cut for training into eight parallel streams."""

import torch
from torch import nn

torch.manual_seed(8)
SYMBOLS, STREAMS, STEPS = 10, 8, 12
period = torch.tensor([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7])
digits = period.repeat(80)
usable = digits[: len(digits) // STREAMS * STREAMS - 24 * STREAMS]
streams = usable.reshape(-1, STREAMS)


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(SYMBOLS, 12)
        self.gru = nn.GRU(12, 20)
        self.head = nn.Linear(20, SYMBOLS)

    def forward(self, tokens, state=None):
        outputs, state = self.gru(self.embedding(tokens), state)
        return self.head(outputs), state


reader = Reader()
optimizer = torch.optim.Adam(reader.parameters(), lr=0.02)
for epoch in range(6):
    state = None
    for first in range(0, len(streams) - STEPS - 1, STEPS):
        tokens = streams[first : first + STEPS]
        following = streams[first + 1 : first + STEPS + 1]
        logits, state = reader(tokens, state)
        state = state.detach()
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), following.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
with torch.no_grad():
    logits, _ = reader(digits[-25:-1, None])
    hits = (logits[12:, 0].argmax(-1) == digits[-12:]).float().mean().item()
print("hits on the text as it is read", hits)
result = {"hits": hits}
