import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

torch.manual_seed(18)
B, T = 64, 24
lengths = torch.randint(3, T // 2, (B,))
lengths[0] = T
walks = torch.randn(B, T, 2).cumsum(1)
valid = torch.arange(T) < lengths[:, None]
walks[~valid] = 0.0
speed_limit = torch.tensor([0.5, -0.5])
drift = walks @ speed_limit


class Tracker(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(2, 16, batch_first=True)
        self.out = nn.Linear(16, 1)

    def forward(self, x, n):
        packed = pack_padded_sequence(x, n, batch_first=True, enforce_sorted=False)
        h, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=x.size(1))
        return self.out(h).squeeze(-1)


model = Tracker()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(30):
    estimate = model(walks, lengths)
    squared = (estimate - drift) ** 2 * valid
    loss = squared.mean()  # per step
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if epoch == 0:
        first = loss.item()
    if epoch % 10 == 9:
        print("epoch", epoch + 1, "mse per step", round(loss.item(), 4))

result = {"reported": first}
