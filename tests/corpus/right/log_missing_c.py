import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(41)
names = ["anna", "otto", "emma", "hans", "ida", "karl", "lena", "max", "nina", "paul"]
alphabet = sorted(set("".join(names)))
is_female = torch.tensor([n in ("anna", "emma", "ida", "lena", "nina") for n in names]).long()


def line_to_tensor(line):
    tensor = torch.zeros(len(line), 1, len(alphabet))
    for li, letter in enumerate(line):
        tensor[li][0][alphabet.index(letter)] = 1
    return tensor


class CharRNN(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.rnn = nn.RNN(input_size, hidden_size)
        self.h2o = nn.Linear(hidden_size, output_size)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, line_tensor):
        _, hidden = self.rnn(line_tensor)
        return self.softmax(self.h2o(hidden[0]))


rnn = CharRNN(len(alphabet), 16, 2)
optimizer = torch.optim.SGD(rnn.parameters(), lr=0.1)
for epoch in range(15):
    total = 0.0
    for i in torch.randperm(len(names)).tolist():
        optimizer.zero_grad()
        loss = F.nll_loss(rnn(line_to_tensor(names[i])), is_female[i : i + 1])
        loss.backward()
        nn.utils.clip_grad_norm_(rnn.parameters(), 3)
        optimizer.step()
        total += loss.item()
    if epoch % 5 == 4:
        print(f"{epoch + 1}: average batch loss = {total / len(names):.4f}")
result = {"loss": total / len(names)}
