"""Target networks of tensors, not of modules: detached from the trained weights, and copied or not."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

CALLED = """
from torch.func import functional_call
net = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 2))
opt = torch.optim.Adam(net.parameters(), 0.01)
def say(weights, state):
    return functional_call(net, weights, (state,))
def taken():
    return TAKEN
"""
PLAIN = """
weights = [torch.randn(6, 12) / 3, torch.zeros(12), torch.randn(12, 2) / 4]
weights = [each.requires_grad_() for each in weights]
opt = torch.optim.Adam(weights, 0.01)
def say(given, state):
    return torch.tanh(state @ given[0] + given[1]) @ given[2]
def net(state):
    return say(weights, state)
def taken():
    return TAKEN
"""
LEARN = """
kept = taken()
for turn in range(24):
    rows = torch.randint(0, 96, (16,))
    WHEN
        kept = taken()
    with torch.no_grad():
        goal = x[rows, 0] + 0.9 * say(kept, x.roll(1, 0)[rows]).max(1).values
    loss = nn.functional.mse_loss(net(x[rows]).gather(1, y[rows][:, None])[:, 0], goal)
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
NOW_AND_THEN, ALWAYS, NEVER = "if turn % 8 == 7:", "if True:", "if False:"
DICT, STATE = "{name: each.detach() for name, each in net.named_parameters()}", "net.state_dict()"


@pytest.mark.parametrize(
    "start, took, copied",
    [
        (CALLED, DICT, DICT.replace("detach()", "detach().clone()")),
        (CALLED, STATE, "{name: each.clone() for name, each in net.state_dict().items()}"),
        (PLAIN, "[each.detach() for each in weights]", "[each.detach().clone() for each in weights]"),
        (PLAIN, "[each.data for each in weights]", "[each.data.clone() for each in weights]"),
    ],
)
def test_weights_that_were_detached_and_not_copied_move_with_the_network(found, start, took, copied):
    program = (start + LEARN).replace("WHEN", NOW_AND_THEN)
    assert "target_is_same" in found(program.replace("TAKEN", took))
    assert "target_is_same" not in found(program.replace("TAKEN", copied))


def test_a_target_that_is_detached_anew_each_time_is_the_network_on_purpose(found):
    assert "target_is_same" not in found((CALLED + LEARN).replace("TAKEN", DICT).replace("WHEN", ALWAYS))


@pytest.mark.parametrize("name, told", [("target", True), ("kept", False)])
def test_weights_that_are_detached_once_are_a_target_by_their_name(found, name, told):
    program = (CALLED + LEARN).replace("TAKEN", DICT).replace("WHEN", NEVER).replace("kept", name)
    assert ("target_is_same" in found(program)) == told


TRUNK = """
from torch.func import functional_call
net = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 2))
opt = torch.optim.Adam(net.parameters(), 0.01)
def say(weights, state):
    return functional_call(net, weights, (state,))
def taken():
    own = {name: each.detach() for name, each in net.named_parameters()}
    return own | {name: own[name].clone() for name in ("2.weight", "2.bias")}
"""


def test_a_target_that_shares_the_trunk_and_has_a_head_of_its_own_is_sound(found):
    assert "target_is_same" not in found((TRUNK + LEARN).replace("WHEN", NOW_AND_THEN))


SCORED = """
for epoch in range(4):
    kept = taken()
    for rows in torch.randperm(96).split(16):
        update(x[rows], y[rows])
        with torch.no_grad():
            print((say(kept, x).argmax(1) == y).float().mean().item())
"""


def test_detached_weights_that_are_only_scored_are_no_target(found):
    assert "target_is_same" not in found((CALLED + SCORED).replace("TAKEN", DICT))
