"""Probabilities turned before their loss, and tokens put in front of a batch."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

TAGS = """
words, tags = torch.randint(0, 9, (96, 7)), torch.randint(0, 4, (96, 7))
net = nn.Sequential(nn.Embedding(9, 8), nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))
opt = torch.optim.Adam(net.parameters(), 0.01)
for step in range(20):
    rows = torch.randperm(96)[:24]
    probabilities = net(words[rows]).log_softmax(DIM)
    loss = nn.functional.nll_loss(TURNED)
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
TURNS = {
    "permuted": "probabilities.permute(0, 2, 1), tags[rows]",
    "transposed": "probabilities.transpose(1, -1), tags[rows]",
    "row by row": "probabilities.reshape(-1, 4), tags[rows].reshape(-1)",
}
PATCHES = """
patches = torch.randn(96, 5, 8)
token = nn.Parameter(torch.zeros(1, 1, 8))
layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0FIRST)
head = nn.Linear(8, 2)
opt = torch.optim.Adam([token, *layer.parameters(), *head.parameters()], 0.01)
for step in range(12):
    rows = torch.randperm(96)[:24]
    whole = torch.cat([token.expand(24, -1, -1), patches[rows]], 1)
    loss = nn.functional.cross_entropy(head(layer(whole)[:, 0]), y[rows])
    opt.zero_grad()
    loss.backward()
    opt.step()
"""


@pytest.mark.parametrize("turn", TURNS)
def test_probabilities_that_add_up_over_the_steps_are_told_however_the_loss_is_given_them(found, turn):
    assert "softmax_dim" in found(TAGS.replace("DIM", "1").replace("TURNED", TURNS[turn]))
    assert "softmax_dim" not in found(TAGS.replace("DIM", "2").replace("TURNED", TURNS[turn]))


def test_a_token_in_front_of_each_sample_hides_no_mixing(found):
    assert "samples_mixed" in found(PATCHES.replace("FIRST", ""))
    assert "samples_mixed" not in found(PATCHES.replace("FIRST", ", batch_first=True"))


REVIEWS = """
from torch.nn.utils.rnn import pad_sequence
reviews = [(torch.randint(1, 9, (3 if n % 4 else 12,)).tolist(), n % 2) for n in range(160)]
def collate(rows):
    words = [torch.tensor(row) for row, _ in rows]
    lengths = torch.tensor([len(row) for row in words])
    return pad_sequence(words, batch_first=True), lengths, torch.tensor([label for _, label in rows])
class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(9, 6, padding_idx=0)
        self.reads, self.says = nn.RNN(6, 8, batch_first=True), nn.Linear(8, 2)
    def forward(self, given, lengths):
        states = self.reads(self.words(given))[0]
        return self.says(LAST)
net = Reader()
opt = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(6):
    for given, lengths, label in DataLoader(reviews, 16, collate_fn=collate):
        opt.zero_grad()
        nn.functional.cross_entropy(net(given, lengths), label).backward()
        opt.step()
"""


def test_states_behind_the_ends_are_told_though_most_batches_were_made_unseen(found, monkeypatch):
    monkeypatch.setattr("truestep.check.loaders.FETCHES", 60)
    assert "padding_counted" in found(REVIEWS.replace("LAST", "states[:, -1]"))
    ends = "states[torch.arange(len(given)), lengths - 1]"
    assert "padding_counted" not in found(REVIEWS.replace("LAST", ends))
