"""Copies of a network that stay at its start: targets that should follow it, and starts that are kept on purpose."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

BEGUN = """
x, y = torch.randn(200, 6), torch.randn(200, 1)
net = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1))
start = copy.deepcopy(net).requires_grad_(False)
opt = torch.optim.Adam(net.parameters(), 0.003)
for update in range(60):
    rows = torch.randint(0, 200, (20,))
    with torch.no_grad():
        said = start(x[WHICH])
    loss = LOSS
    opt.zero_grad()
    loss.backward()
    opt.step()
    FOLLOWS
"""
STEP = "(net(x[rows]) - y[rows] - 0.9 * said).pow(2).mean()"
ASKED = STEP.replace("* said", "* said * net(x[rows - 1]).sign().detach()")
KEPT = {
    "a reference": "-nn.functional.logsigmoid(net(x[rows]) - said - net(x[rows - 1])).mean()",
    "taken away": "(net(x[rows]) - said - y[rows]).pow(2).mean()",
    "kept near to": "(net(x[rows]) - y[rows]).pow(2).mean() + 0.1 * (net(x[rows]) - said).pow(2).mean()",
}


def program(loss, which, follows="pass"):
    return "import copy\n" + BEGUN.replace("LOSS", loss).replace("WHICH", which).replace("FOLLOWS", follows)


def test_a_target_that_never_follows_is_told_and_one_that_does_is_not(found):
    follows = "[slow.data.lerp_(fast.data, 0.05) for slow, fast in zip(start.parameters(), net.parameters())]"
    assert "target_is_same" in found(program(STEP, "rows - 1"))
    assert "target_is_same" not in found(program(STEP, "rows - 1", follows))


def test_a_network_that_is_asked_of_the_same_inputs_for_a_choice_alone_has_other_ones_all_the_same(found):
    assert "target_is_same" in found(program(ASKED, "rows - 1"))


@pytest.mark.parametrize("use", KEPT)
def test_a_start_that_is_kept_on_purpose_is_no_target_left_behind(found, use):
    assert "target_is_same" not in found(program(KEPT[use], "rows"))
