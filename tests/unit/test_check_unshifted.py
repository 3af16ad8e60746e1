"""Sequences whose inputs are ones and zeros for the very classes that are the targets."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

LETTERS = """
text = torch.randint(0, 9, (96, 13))
class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.reads, self.says = nn.GRU(9, 24, batch_first=True), nn.Linear(24, 9)
    def forward(self, ones):
        return self.says(self.reads(ones)[0])
net = Reader()
opt = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(4):
    for rows in torch.randperm(96).split(24):
        given, wanted = text[rows][:, :-1], text[rows][:, PART]
        said = net(nn.functional.one_hot(given, 9).float())
        opt.zero_grad()
        nn.functional.cross_entropy(said.flatten(0, 1), wanted.flatten()).backward()
        opt.step()
"""


@pytest.mark.parametrize("part, told", [(":-1", True), ("1:", False)])
def test_an_input_of_ones_and_zeros_is_known_by_its_classes(found, part, told):
    assert ("targets_unshifted" in found(LETTERS.replace("PART", part))) == told


CURVES = """
curves = torch.randn(96, 24).cumsum(1)
net = nn.Sequential(nn.Conv1d(1, 8, 5, padding=2), nn.ReLU(), nn.Conv1d(8, 1, 5, padding=2))
opt = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(4):
    for rows in torch.randperm(96).split(24):
        clean = curves[rows]
        said = net((GIVEN).unsqueeze(1)).squeeze(1)
        opt.zero_grad()
        nn.functional.mse_loss(said, clean).backward()
        opt.step()
"""


@pytest.mark.parametrize("given, told", [
    ("clean", True), ("2 * clean", True), ("clean + 0.5 * torch.randn_like(clean)", False),
    ("clean + 0.5 * torch.randn(24)", False), ("clean * (torch.rand_like(clean) > 0.3)", False),
    ("nn.functional.dropout(clean, 0.3)", False),
])  # fmt: skip
def test_noise_that_only_the_input_bears_is_to_be_taken_away(found, given, told):
    assert ("targets_unshifted" in found(CURVES.replace("GIVEN", given))) == told
