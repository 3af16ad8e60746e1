"""Whole steps through torch's compiler: built by another process, loaded, and the steps one by one to rounding."""

from typing import Any

import pytest
import torch
from torch import nn

from laws.compiled_cases import near, network, same_figures
from laws.step_cases import PROBLEMS
from laws.test_compiled import SETTINGS
from laws.test_tiers import OPTIMIZERS, trained
from truestep.core.compiled import Compiled
from truestep.fit import compiled, shapes, worth
from truestep.fit.worth import Worth


def test_the_compiler_ends_where_the_loop_ends_and_on_the_same_bits_from_the_library_that_it_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
):
    """The whole way once: another process, torch's compiler, C++, and a library that is loaded, two steps a call."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(shapes, "SEEN", 2)
    monkeypatch.setattr(compiled, "TIMES", 2)
    ends, calls, take = [], list[Any](), Compiled.take
    monkeypatch.setattr(Compiled, "take", lambda self, batch: calls.append(take(self, batch)) or calls[-1])
    for compile in (False, True, True, "auto"):
        if compile == "auto":
            monkeypatch.setattr(worth, "LEARNING", -1.0)
            monkeypatch.setattr(compiled, "PAYS", 1e9)
            monkeypatch.setattr(Worth, "opened", lambda self, left: True)
        calls.clear()
        torch.manual_seed(0)
        model = nn.Linear(3, 5).double()
        ends.append(trained(compile, OPTIMIZERS["momentum"], model=model, data=PROBLEMS["mean"].batch(43, 1)))
        assert [rows.times for rows in calls] == [2] * len(calls)
        assert bool(calls) == bool(compile)
    assert near(ends[0][1], ends[1][1])
    assert same_figures(ends[0][0], ends[1][0])
    assert all(torch.equal(a, b) for a, b in zip(ends[1][1], ends[2][1], strict=True))
    assert near(ends[0][1], ends[3][1])
    assert [each.suffix for each in (tmp_path / "truestep" / "programs").iterdir()] == [".so"]


LONG: dict[str, Any] = {
    "perceptron": lambda: nn.Sequential(nn.Linear(3, 64), nn.ReLU(), nn.Linear(64, 5)),
    "statistics": network,
    "convolutions": lambda: nn.Sequential(
        nn.Unflatten(1, (1, 1, 3)), nn.Conv2d(1, 4, (1, 2)), nn.Sigmoid(), nn.AvgPool2d((1, 2)), nn.Flatten(),
        nn.Linear(4, 5),
    ),
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("model", LONG)
@pytest.mark.parametrize("settings", ["several a call", "one a call: a schedule"])
def test_compiled_steps_are_the_steps_to_rounding(
    settings: str, model: str, optimizer: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shapes, "SEEN", 1)
    monkeypatch.setattr(compiled, "SMALL", 1e9)
    ends = []
    for compile in (False, True):
        torch.manual_seed(0)
        options: Any = {**SETTINGS[settings], "data": PROBLEMS["mean"].batch(101, 1), "epochs": 5}
        ends.append(trained(compile, OPTIMIZERS[optimizer], model=LONG[model]().double(), **options))
    assert near(ends[0][1], ends[1][1])
    assert same_figures(ends[0][0], ends[1][0])
