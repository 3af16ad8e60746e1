"""Folds whose scores are computed outside of torch, and parts of a run that only look so."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`
from unit.test_check_folds import ANEW, FOLDS

GUESSES = """
marks, guesses = y.numpy(), np.zeros(96)
def guess(rows):
    with torch.no_grad():
        return torch.softmax(net(x[rows]), 1).numpy()
def score(rows):
    return float((guess(rows).argmax(1) == marks[rows.numpy()]).mean())
"""
TURNS = """
for k in range(4):
    PREPARE
    fit(others(k))
    guesses[parts[k].numpy()] = guess(parts[k])[:, 1]
print(((guesses > 0.5) == marks).mean())
"""


def test_one_model_that_goes_through_all_folds_is_told_where_numpy_scores_it(found):
    assert "tested_on_train" in found(FOLDS + GUESSES + TURNS.replace("PREPARE", "pass"))


@pytest.mark.parametrize(
    "how", ["in place", pytest.param("behind the back of autograd", marks=pytest.mark.long), "a new one"]
)
def test_a_model_that_begins_anew_is_not(found, how):
    fresh = ANEW.get(how, "net = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 2))")
    assert "tested_on_train" not in found(FOLDS + GUESSES + TURNS.replace("PREPARE", fresh))


NESTED = """
def new():
    return nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 2))
for outside in parts:
    rest = torch.cat([part for part in parts if part is not outside])
    for epochs in (2, 4):
        OUTER
        for k in range(3):
            INNER
            inside = rest.chunk(3)[k]
            fit(torch.cat([part for j, part in enumerate(rest.chunk(3)) if j != k]), epochs)
            print(score(inside))
    net = new()
    fit(rest)
    print("outside", score(outside))
"""


@pytest.mark.long
def test_inner_folds_that_share_one_model_are_told(found):
    shared = NESTED.replace("OUTER", "net = new()").replace("INNER", "pass")
    assert "tested_on_train" in found(FOLDS + GUESSES + shared)
    apart = NESTED.replace("OUTER", "pass").replace("INNER", "net = new()")
    assert "tested_on_train" not in found(FOLDS + GUESSES + apart)


ONE_BY_ONE = """
for k in range(20):
    NEW
    fit(torch.tensor([j for j in range(20) if j != k]), 8)
    guesses[k] = guess(torch.tensor([k]))[0, 1]
print(((guesses > 0.5) == marks)[:20].mean())
"""


def test_one_model_through_all_rounds_of_leaving_one_out_is_told(found):
    assert "tested_on_train" in found(FOLDS + GUESSES + ONE_BY_ONE.replace("NEW", "pass"))
    fresh = "net = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 2))"
    assert "tested_on_train" not in found(FOLDS + GUESSES + ONE_BY_ONE.replace("NEW", fresh))


SOUND = {
    "the task before is asked for again": "for k in range(4):\n    fit(parts[k])\n    print(score(parts[k - 1]))\n",
    "the task before is asked for again, and some of it was learned again": (
        "for k in range(4):\n    fit(torch.cat([parts[k], parts[k - 2][:8]]))\n    print(score(parts[k - 1]))\n"
    ),
    "a pool that shrinks": (
        "order = torch.randperm(96)\n"
        "for k in range(1, 5):\n"
        "    fit(order[: 16 * k])\n"
        "    sure = guess(order[16 * k :]).max(1)\n"
        "    order[16 * k :] = order[16 * k :][torch.from_numpy(sure).argsort()]\n"
    ),
    "what is guessed is learned": (
        "labels = y\n"
        "for k in range(3):\n"
        "    fit(torch.cat(parts[: k + 1]))\n"
        "    y = y.clone()\n"
        "    y[parts[k + 1]] = torch.from_numpy(guess(parts[k + 1]).argmax(1))\n"
    ),
    "a window that moves on": "for k in range(3):\n    fit(parts[k])\n    print(score(parts[k + 1]))\n",
    "restarts on the same rows": "for k in range(4):\n    fit(others(3))\n    print(score(parts[3]))\n",
    "one part after the other is to be forgotten": (
        "for epoch in range(20):\n"
        "    for b in torch.randperm(96).split(16):\n"
        "        update(x[b], y[b])\n"
        "for k in range(3):\n    fit(torch.cat(parts[k + 1 :]))\n    print(score(parts[k]))\n"
    ),
}


@pytest.mark.parametrize("kind", SOUND)
def test_parts_of_a_run_that_are_asked_for_are_no_folds(found, kind):
    assert "tested_on_train" not in found(FOLDS + GUESSES + SOUND[kind])
