"""Means over the steps of padded sequences, where lengths or a mask are at hand."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

WORDS = """
from torch.nn.utils.rnn import pad_sequence
texts = [torch.randint(1, 9, (int(n),)) for n in torch.randint(3, 20, (96,))]
def collate(items):
    rows = [row for row, _ in items]
    return pad_sequence(rows, batch_first=True), HANDED, torch.stack([kind for _, kind in items])
pairs = list(zip(texts, y))
class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.mix, self.last = nn.Embedding(9, 8), nn.GRU(8, 8, batch_first=True), nn.Linear(8, 2)
    def forward(self, tokens, known):
        states = self.mix(self.words(tokens))[0]
        return self.last(POOL)
net = Reader()
opt = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(2):
    for tokens, known, kinds in DataLoader(pairs, 16, shuffle=True, collate_fn=collate):
        loss = nn.functional.cross_entropy(net(tokens, known), kinds)
        opt.zero_grad()
        loss.backward()
        opt.step()
"""
LENGTHS = "torch.tensor([len(row) for row in rows])"
MASK = "pad_sequence([torch.ones(len(row)) for row in rows], batch_first=True)"
NOTHING = "torch.tensor([0 for row in rows])"
ALL = "states.mean(dim=1)"
WEIGHED = "(states * known[..., None]).sum(1) / known.sum(1, keepdim=True)"
SCALED = (
    "(states * (torch.arange(tokens.shape[1]) < known[:, None])[..., None]).mean(1) * tokens.shape[1] / known[:, None]"
)


@pytest.mark.parametrize(
    "handed, pool, told",
    [
        (LENGTHS, ALL, True),
        (MASK, ALL, True),
        (NOTHING, ALL, False),  # who has no lengths may mean it so
        (MASK, WEIGHED, False),
        (LENGTHS, SCALED, False),
        (LENGTHS, "states.max(dim=1).values", False),
    ],
)
def test_padding_in_a_mean_over_steps_is_found_where_lengths_are_known(found, handed, pool, told):
    assert ("padding_counted" in found(WORDS.replace("HANDED", handed).replace("POOL", pool))) == told
