"""States that are loaded one behind the other: where the first is used by nobody, and where it is."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

ROUNDS = """
import copy
for round in range(8):
    before = copy.deepcopy(net.state_dict())
    rows = torch.randperm(96)[:32]
    for step in range(3):
        for p, g in zip(net.parameters(), torch.autograd.grad(
                nn.functional.cross_entropy(net(x[rows]), y[rows]), list(net.parameters()))):
            p.data.sub_(0.1 * g)
    after = net.state_dict()
    net.load_state_dict({name: before[name] + 0.5 * (after[name] - before[name]) for name in before})
    BETWEEN
    net.load_state_dict(before)
"""
USES = [
    "print('middle', nn.functional.cross_entropy(net(x), y).item())",
    "print('norm', sum(p.norm() for p in net.parameters()).item())",
    "kept = copy.deepcopy(net)",
    "kept = [value.clone() for value in net.state_dict().values()]",
]


def test_a_state_that_the_next_load_overwrites_unread_is_told(found):
    assert "update_undone" in found(ROUNDS.replace("BETWEEN", "pass"))


@pytest.mark.parametrize("use", USES)
def test_a_state_that_was_used_in_between_is_not(found, use):
    assert "update_undone" not in found(ROUNDS.replace("BETWEEN", use))


def test_loads_of_two_parts_are_not(found):
    parts = ROUNDS.replace("net.load_state_dict(before)", "net[0].load_state_dict(net[0].state_dict())")
    assert "update_undone" not in found(parts.replace("BETWEEN", "pass"))
