"""A best state that is a reference to an average of the weights, which no optimizer holds and the program writes."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

PROGRAM = """
import copy
MAKE
def score():
    with torch.no_grad():
        return nn.functional.cross_entropy(average(x[64:]), y[64:]).item()
best, best_state = float("inf"), None
for epoch in range(8):
    for rows in torch.randperm(64).split(16):
        update(x[rows], y[rows])
        AFTER
    loss = score() + abs(epoch - TURN)
    if loss < best:
        best = loss
        KEEP
END
"""
BY_HAND = """
average = copy.deepcopy(net).requires_grad_(False)
@torch.no_grad()
def follow():
    for kept, one in zip(average.parameters(), net.parameters()):
        WRITE
"""
WRITES = {
    "lerp": "kept.lerp_(one, 0.1)",
    "data": "kept.data.mul_(0.9).add_(one.data, alpha=0.1)",
    "copied": "kept.copy_(0.9 * kept + 0.1 * one)",
    "item": "kept[:] = 0.9 * kept + 0.1 * one",
}
AVERAGED = """
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.9))
"""
STATE = "best_state = average.state_dict()"
COPY = "best_state = copy.deepcopy(average.state_dict())"
LOAD = "average.load_state_dict(best_state)\nprint(score())"


def program(make, after, keep, end=LOAD, turn=3):
    return (
        PROGRAM.replace("TURN", str(turn))
        .replace("MAKE", make)
        .replace("AFTER", after)
        .replace("KEEP", keep)
        .replace("END", end)
    )


@pytest.mark.parametrize("how", [pytest.param(how, marks=pytest.mark.long) if how == "item" else how for how in WRITES])
def test_the_state_of_an_average_kept_as_a_reference_is_told(found, how):
    make = BY_HAND.replace("WRITE", WRITES[how])
    assert "best_is_reference" in found(program(make, "follow()", STATE))
    assert "best_is_reference" in found(program(make, "follow()", STATE, turn=0))
    assert "best_is_reference" not in found(program(make, "follow()", COPY))


def test_so_is_that_of_an_averaged_model_of_torch(found):
    assert "best_is_reference" in found(program(AVERAGED, "average.update_parameters(net)", STATE))
    assert "best_is_reference" not in found(program(AVERAGED, "average.update_parameters(net)", COPY))


KEEPER = "average = copy.deepcopy(net)\nkeeper = copy.deepcopy(net)"
SOUND = {
    "a model that holds the best weights and is written when they are found": (
        KEEPER,
        "average.load_state_dict(net.state_dict())",
        "best_state = keeper.state_dict()\n"
        "        for name, one in average.state_dict().items():\n            best_state[name].copy_(one)",
    ),
    "a state that is written to a file at once": (
        BY_HAND.replace("WRITE", WRITES["lerp"]),
        "follow()",
        f"{STATE}\n        torch.save(best_state, 'best.pt')",
    ),
    "an average that is set anew": (
        "average = net",
        "average = copy.deepcopy(net)",
        "best_state = average.state_dict()",
    ),
}


@pytest.mark.parametrize("how", SOUND)
def test_look_alikes_that_keep_the_best_weights_are_silent(found, how):
    end = "print(score())" if "file" in how else LOAD
    assert "best_is_reference" not in found(program(*SOUND[how], end))
