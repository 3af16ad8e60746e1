"""Variants are stacked where that pays, and trained one after another where it does not, with the same figures."""

import json

import pytest
import torch
from torch import nn

import truestep as ts
from reference.sweep import farthest
from truestep.sweep import conduct, programs, worth
from truestep.sweep.worth import Counter, Pass, Scale, verdict

X, Y = torch.randn(22, 3, generator=torch.Generator().manual_seed(3)).double(), torch.arange(22) % 3
WIDE = torch.ones(64, 1, 28, 28), torch.arange(64) % 10
ASKED = {"epochs": 5, "batch_size": 4, "progress": False}


def small():
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3)).double()


def large():
    return nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.Flatten(), nn.Linear(4704, 10))


def swept(make=small, data=(X, Y), **changes):
    given = {**ASKED, "grid": {"lr": [0.1, 0.01]}, **changes}
    return ts.sweep(make, data, nn.CrossEntropyLoss(), torch.optim.SGD, **given)


@pytest.mark.parametrize("every", [0, 2])
def test_stacked_or_one_after_another_a_study_finds_the_same(every, capfd):
    objective = ts.Objective(label=nn.CrossEntropyLoss(), size=(0.1, lambda out, _: out.square()))
    asked = {
        **ASKED, "grid": {"lr": [0.3, 1e300, 0.01], "size": [0.0, 0.5], "clip_norm": [None, 0.1]},
        "fixed": {"momentum": 0.5}, "validate": (X[:7], 2 - Y[:7]), "metrics": {"right": ts.metrics.accuracy},
        "evaluate_every": every,
    }  # fmt: skip
    stacked, single = (
        ts.sweep(small, (X, Y), objective, torch.optim.SGD, **asked, stack=stack) for stack in (True, False)
    )
    assert any(stacked.table["diverged"])
    assert stacked.table.columns == single.table.columns
    assert len(single.planned) == 2  # with and without clipping
    assert all("24 variants" not in plan and "one after another, as asked" in plan for plan in single.planned)
    assert not stacked.notes + single.notes
    for i, (one, other) in enumerate(zip(stacked.table, single.table, strict=True)):
        for name in one:
            assert one[name] is None or one[name] == pytest.approx(other[name], rel=1e-11, nan_ok=True), name
        for record, own in zip(stacked.history(i), single.history(i), strict=True):
            assert dict(record) == pytest.approx(dict(own), rel=1e-11, nan_ok=True)
        assert farthest(stacked.model(i), single.model(i)) < 1e-12
        if every and one.best_epoch:
            assert one.best_epoch in (2, 4, 5)
            assert farthest(stacked.model(i, best=True), single.model(i, best=True)) < 1e-12
    assert "stopped" not in capfd.readouterr().err


def test_small_steps_are_stacked_and_large_ones_are_not_even_traced(monkeypatch):
    assert swept(epochs=8).planned == ["2 variants of 8 epochs in 1 chunk(s) of 2"]
    monkeypatch.setattr(programs, "trace", None)
    (plan,) = swept(large, WIDE, batch_size=8).planned
    assert plan.startswith("2 variants of 5 epochs one after another, since some ")
    assert plan.endswith("% of a step is arithmetic, which stacking does not save")
    with pytest.raises(TypeError, match="NoneType"):
        swept(large, WIDE, batch_size=8, stack=True)


def test_what_draws_is_stacked_however_large_since_its_draws_would_be_others():
    make = lambda: nn.Sequential(large(), nn.Dropout(0.5))  # noqa: E731
    assert "1 chunk(s) of 2" in swept(make, WIDE, batch_size=64, epochs=1).planned[0]


def test_a_variant_that_stands_alone_is_not_stacked():
    study = swept(grid={"lr": [0.1]})
    assert study.planned == ["1 variants of 5 epochs one after another, since there is nothing to stack it with"]
    assert farthest(study.model(0), swept(grid={"lr": [0.1]}, stack=True).model(0)) < 1e-12


@pytest.mark.parametrize("stacked_s, steps, stacks", [
    (0.9, 10**5, True), (1.1, 10**5, True), (1.2, 10**5, False), (0.1, 50, False),
])  # fmt: skip
def test_large_steps_are_timed_where_the_study_is_long_enough(stacked_s, steps, stacks):
    asked = []
    counter = Counter()
    counter.flops, counter.calls = 10**10, 4
    found = verdict(
        Scale(16, steps, 8), Pass((X, Y), 0, counter), small(),
        lambda: asked.append("alone") or 1.15 / 8, lambda: asked.append("stacked") or stacked_s,
    )  # fmt: skip
    assert found.stacks == stacks
    assert asked == ([] if steps == 50 else ["stacked", "alone"])
    if steps > 50 and not stacks:
        assert found.why.endswith("a stacked step took 1.04 times as long as those of its variants")


def test_timing_changes_nothing_of_what_is_found(monkeypatch):
    plain = swept(seeds=2, stack=True)
    seen = []
    monkeypatch.setattr(worth, "BOUND", 0.0)
    monkeypatch.setattr(worth, "SETUP", 0.0)
    monkeypatch.setattr(worth, "TIMED", 1e9)
    real = worth.step_seconds
    monkeypatch.setattr(conduct, "step_seconds", lambda *given: seen.append(real(*given)) or 1e9)
    timed = swept(seeds=2)
    assert len(seen) == 1
    assert "in 1 chunk(s) of 4" in timed.planned[0]
    assert timed.table["train_loss"] == plain.table["train_loss"]


def test_a_study_goes_on_as_it_began(tmp_path, monkeypatch):
    first = swept(run_dir=tmp_path, chunk=1)
    assert json.loads((tmp_path / "stacked.json").read_text()) == {"0": True}
    (tmp_path / "chunk-1.safetensors").unlink()
    monkeypatch.setattr(worth, "BOUND", 0.0)
    again = swept(run_dir=tmp_path, chunk=1)
    assert "in 1 chunk(s) of 1" in again.planned[0]
    assert again.table["train_loss"] == first.table["train_loss"]
    (tmp_path / "chunk-1.safetensors").unlink()
    (tmp_path / "stacked.json").write_text("{}")
    assert "one after another, since some" in swept(run_dir=tmp_path, chunk=1).planned[0]


def test_what_is_wrong_is_refused_before_any_variant_is_trained_alone(monkeypatch):
    monkeypatch.setattr(conduct, "train_alone", None)
    with pytest.raises(ts.ConfigError, match="Invalid learning rate"):
        swept(grid={"lr": [0.1, -0.1]}, stack=False)
    with pytest.raises(ts.ConfigError, match="stack knows 'auto', True and False, and 'no' is none of them"):
        swept(stack="no")
