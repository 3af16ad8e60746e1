"""How programs keep their best model: in dicts, lists, objects and helpers; each spelling wrong, and put right."""

import runpy

import pytest

from truestep.check.rules import judge
from truestep.check.watch import Watching

PROGRAM = """
import copy
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(120, 8)
y = x[:, :1] + torch.randn(120, 1)
model = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)


def value():
    with torch.no_grad():
        return nn.functional.mse_loss(model(x[60:]), y[60:]).item()


HEAD
for epoch in range(8):
    for part in torch.arange(60).split(20):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x[part]), y[part]).backward()
        optimizer.step()
    loss = value()
    BODY
TAIL
"""
SLOW = "optimizer = torch.optim.SGD(model.parameters(), lr=0.01)"  # each loss is below the one before
TABLE = (f"kept = []\n{SLOW}", "kept.append((loss, copy.deepcopy(model)))")
KEEPER = """
class Keeper:
    def __init__(self, mode):
        self.mode, self.best, self.model = mode, None, None

    def better(self, loss):
        if self.best is None:
            return True
        return loss > self.best if self.mode == "max" else loss < self.best

    def offer(self, loss, model):
        if self.better(loss):
            self.best = loss
            self.model = COPY


class Trainer:
    def __init__(self, model):
        self.model, self.best = model, 0.0


trainer = Trainer(model)
keeper = Keeper(MODE)
"""
STATE = 'best["state"] = copy.deepcopy(model.state_dict())'
CASES = {
    "the greatest loss of a table": (
        "best_wrong_way", *TABLE,
        ("_, model = max(kept, key=lambda pair: pair[0])\nprint(value())", "max(", "min("),
    ),
    "the last of a sorted table": (
        "best_wrong_way", *TABLE,
        ("model = sorted(kept, key=lambda pair: pair[0])[-1][1]\nprint(value())", "[-1]", "[0]"),
    ),
    "a named comparison with a dict": (
        "best_never_updated", 'best = {"loss": 1e9}', f"better = loss < best['loss']\n    if better:\n        {STATE}",
        ("BODY", STATE, STATE, f'{STATE}\n        best["loss"] = loss'),
    ),
    "a helper that knows a mode": (
        "best_never_updated", KEEPER.replace("COPY", "copy.deepcopy(model)").replace("MODE", '"min"').replace(
            "self.best, self.model = mode, None, None", "self.best, self.model = mode, float('inf'), None"
        ), "keeper.offer(loss, model)",
        ("HEAD", "self.best = loss", "self.last = loss", "self.best = loss"),
    ),
    "a list of one memory": (
        "best_is_reference", "kept = []", "kept.append([p.data for p in model.parameters()])",
        ("BODY", "p.data", "p.data", "p.data.clone()"),
    ),
    "an object that holds the model": (
        "best_is_reference", KEEPER.replace("MODE", '"min"'), "keeper.offer(loss, model)",
        ("HEAD", "COPY", "model", "copy.deepcopy(model)"),
    ),
}  # fmt: skip


def programs(case):
    """The wrong program of a case and the right one, with the rule that tells them apart."""
    slug, head, body, change = CASES[case]
    if len(change) == 3:
        tail, old, new = change
        pair = [PROGRAM.replace("TAIL", each) for each in (tail, tail.replace(old, new))]
        return slug, *(each.replace("HEAD", head).replace("BODY", body) for each in pair)
    place, old, wrong, right = change
    pieces = {"HEAD": head, "BODY": body}
    made = []
    for given in (wrong, right):
        program = PROGRAM.replace("TAIL", "")
        for name, piece in pieces.items():
            program = program.replace(name, piece.replace(old, given) if name == place else piece)
        made.append(program)
    return slug, *made


@pytest.fixture
def found(tmp_path):
    """The names of what the rules find in a program."""

    def check(program):
        path = tmp_path / f"train{len(list(tmp_path.iterdir()))}.py"
        path.write_text(program)
        with Watching(strict=True) as seen:
            seen.ended(runpy.run_path(str(path), run_name="__main__"))
        return {each.name for each in judge(seen.trace, strict=True) if each.level != "advice"}

    return check


@pytest.mark.parametrize("case", [pytest.param(case, marks=pytest.mark.long) for case in CASES])
def test_a_best_model_is_kept_wrongly_in_any_spelling_and_rightly_in_silence(found, case):
    slug, wrong, right = programs(case)
    assert slug in found(wrong)
    assert found(right) == set()


def test_the_greatest_loss_of_a_table_is_told_only_where_its_model_is_in_use(found):
    _, wrong, _ = programs("the greatest loss of a table")
    assert found(wrong.replace("_, model = max", "worst, _ = max")) == set()
