"""Labels that have the number of the blank, and heads that are put in after everything was frozen and held."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

SPOKEN = """
net = nn.Linear(6, 5)
opt = torch.optim.Adam(net.parameters(), 0.01)
sound = torch.randn(32, 12, 6)
sizes = torch.randint(1, 4, (32,))
words = torch.randint(0, 4, (32, 3)) + FIRST
words[torch.arange(3) >= sizes[:, None]] = BLANK
for epoch in range(3):
    for rows in torch.randperm(32).split(8):
        said = net(sound[rows]).log_softmax(2).transpose(0, 1)
        given = GIVEN
        loss = nn.functional.ctc_loss(said, given, torch.full((8,), 12), sizes[rows], BLANKS)
        opt.zero_grad()
        loss.backward()
        opt.step()
"""
FILLED, JOINED = "words[rows]", "torch.cat([words[row, : sizes[row]] for row in rows])"


@pytest.mark.parametrize("given", [FILLED, pytest.param(JOINED, marks=pytest.mark.long)])
@pytest.mark.parametrize(
    "first, blank, said, told",
    [("0", "0", "", True), ("1", "0", "", False), ("0", "4", "blank=4", False), ("1", "4", "4", True)],
)
def test_no_label_may_have_the_number_of_the_blank(found, given, first, blank, said, told):
    program = SPOKEN.replace("FIRST", first).replace("GIVEN", given).replace("BLANKS", said).replace("BLANK", blank)
    assert ("labels_off" in found(program)) == told


TUNED = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Sequential(nn.Linear(6, 12), nn.Tanh()), nn.Linear(12, 2)
    def forward(self, x):
        return self.head(self.body(x))
net = Net()
opt = torch.optim.Adam(net.parameters(), 0.01)
for rows in torch.randperm(96).split(24):
    update(x[rows], y[rows])
for p in net.parameters():
    p.requires_grad_(False)
PUT_IN
for epoch in range(4):
    for rows in torch.randperm(96).split(24):
        update(x[rows], 1 - y[rows])
"""
HELD, PUT = "opt = torch.optim.SGD(net.parameters(), 0.05)", "net.head = nn.Linear(12, 2)"


def test_an_optimizer_of_what_was_frozen_knows_nothing_of_a_head_that_comes_later(found):
    assert "optimizer_strangers" in found(TUNED.replace("PUT_IN", f"{HELD}; {PUT}"))
    assert not found(TUNED.replace("PUT_IN", f"{PUT}; {HELD}"))
