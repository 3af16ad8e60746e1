"""Models that fill in what was hidden of each series: whose steps they read, whatever stands before and behind them."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

HIDDEN = """
series = torch.randn(160, 10, 3).cumsum(1)
class Filler(nn.Module):
    def __init__(self):
        super().__init__()
        self.into, self.out = nn.Linear(3, 16), nn.Linear(16, 3)
        self.token = nn.Parameter(torch.zeros(16))
        self.place = nn.Parameter(0.1 * torch.randn(1, 10, 16))
        layer = nn.TransformerEncoderLayer(16, 2, 32, 0.0FIRST)
        self.reader = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
    def forward(self, a, hidden):
        h = HIDING
        return self.out(self.reader(h + self.place))
net = Filler()
opt = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(3):
    for rows in torch.randperm(160).split(20):
        a = series[rows]
        hidden = torch.rand(len(a), 10) < 0.3
        guess = net(a, hidden)
        loss = LOSS
        opt.zero_grad()
        loss.backward()
        opt.step()
"""
HIDINGS = (
    "torch.where(hidden.unsqueeze(-1), self.token, self.into(a))",
    "self.into(a.masked_fill(hidden.unsqueeze(-1), 0.0))",
    "self.into(a * (~hidden).unsqueeze(-1).float())",
)
LOSSES = ("(guess - a).pow(2)[hidden].mean()", "nn.functional.mse_loss(guess[hidden], a[hidden])")


@pytest.mark.parametrize("hiding, loss", [(HIDINGS[0], LOSSES[0]), (HIDINGS[1], LOSSES[1]), (HIDINGS[2], LOSSES[0])])
def test_attention_across_the_samples_is_told_whatever_hides_a_part_of_them(found, hiding, loss):
    program = HIDDEN.replace("HIDING", hiding).replace("LOSS", loss)
    assert "samples_mixed" in found(program.replace("FIRST", ""))
    assert "samples_mixed" not in found(program.replace("FIRST", ", batch_first=True"))


WORDS = """
table = torch.randn(40, 16)
texts = torch.randint(0, 40, (160, 10))
reader = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, 0.0), 1, enable_nested_tensor=False)
head = nn.Linear(16, 16)
opt = torch.optim.Adam([*reader.parameters(), *head.parameters()], 0.01)
for rows in torch.randperm(160).split(20):
    a = torch.stack([table[texts[row]] for row in rows], dim=1)
    loss = (head(reader(a * (torch.rand(10, 20, 1) > 0.3))) - a).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""


def test_words_that_are_picked_for_each_text_are_steps_where_they_come_first(found):
    assert "samples_mixed" not in found(WORDS)


TIMES = """
series = torch.randn(400, 8, 16).cumsum(0)
reader = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, 0.0), 1, enable_nested_tensor=False)
opt = torch.optim.Adam(reader.parameters(), 0.01)
for start in torch.randperm(370).tolist()[:20]:
    a = series[torch.arange(start, start + 24)]
    loss = (reader(a * (torch.rand(24, 8, 1) > 0.3)) - a).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""


def test_steps_that_are_taken_in_their_order_are_no_samples(found):
    assert "samples_mixed" not in found(TIMES)
