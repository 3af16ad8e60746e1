"""`fit` ends on the same bits whichever way it takes its steps, and says and records the same."""

from typing import Any

import pytest
import torch
from torch import nn, optim

import truestep as ts
from laws.step_cases import PROBLEMS, identical, snapshot
from truestep.fit import compiled, shapes, worth
from truestep.fit.loop import Loop

SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "accumulated and clipped": {"accumulate": 3, "clip_norm": 0.5},
    "micro-batches, and a tail that is carried": {"accumulate": 2, "micro_batch": 3, "tail": "carry"},
    "a schedule and a metric": {"schedule": True, "metrics": {"mae": ts.metrics.mean_absolute_error}},
}
OPTIMIZERS: dict[str, Any] = {
    "momentum": lambda p: optim.SGD(p, 0.05, momentum=0.9, weight_decay=0.01),
    "AdamW": lambda p: optim.AdamW(p, 0.01),
}


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 7), nn.Dropout(0.3), nn.ReLU(), nn.Linear(7, 5)).double()


def trained(compile: Any, optimizer: Any, **options: Any) -> Any:
    """`(run, all that it moved, what an observer saw)` of six short epochs whose last batch is ragged."""
    model = options.pop("model", None) or network()
    own, seen = optimizer(model.parameters()), []
    schedule = optim.lr_scheduler.OneCycleLR(own, 0.2, 200) if options.pop("schedule", None) else None
    given = {"schedule": schedule, "progress": False, "batch_size": 8, "epochs": 6, "observers": [seen.append]}
    data = options.pop("data", None) or PROBLEMS["mean"].batch(60, 1)
    run = ts.fit(model, data, nn.MSELoss(), own, validate=data, compile=compile, **{**given, **options})
    return run, snapshot(model, own), seen


def told(run: ts.Run) -> Any:
    records = [{k: v for k, v in record.items() if k != "seconds"} for record in run.history]
    return repr(records), run.stopped, run.notes  # written out, NaN is equal to NaN


@pytest.fixture
def eager_to_learn(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Programs are taken for repaid after two steps, and for quicker; gives the runs' `Tiers`."""
    monkeypatch.setattr(shapes, "SEEN", 2)
    monkeypatch.setattr(worth, "LEARNING", 0.0)
    monkeypatch.setattr(shapes, "TAKEN", 0)
    monkeypatch.setattr(shapes, "LEAST", 0.0)  # a busy machine may take long for a small step
    monkeypatch.setattr(compiled, "PAYS", 1e9)
    found: list[compiled.Tiers] = []
    start = Loop._start

    def watched(self: Loop) -> None:
        start(self)
        found.extend([self.tiers] if isinstance(self.tiers, compiled.Tiers) else [])

    monkeypatch.setattr(Loop, "_start", watched)
    return found


def programs(tiers: compiled.Tiers) -> int:
    return len(tiers.traced._known)


@pytest.mark.parametrize(
    "settings, optimizer",
    [
        ("plain", "AdamW"),
        ("accumulated and clipped", "momentum"),
        ("micro-batches, and a tail that is carried", "AdamW"),
        ("a schedule and a metric", "momentum"),
    ],
)
def test_fit_ends_on_the_same_bits_with_programs_and_without(settings: str, optimizer: str, eager_to_learn: Any):
    options = SETTINGS[settings]
    (a, ended, seen), (b, other, also) = (trained(c, OPTIMIZERS[optimizer], **options) for c in (False, "auto"))
    assert identical(ended, other)
    assert told(a) == told(b)
    assert [vars(e.out) for e in seen if isinstance(e, ts.events.Stepped)] == [
        vars(e.out) for e in also if isinstance(e, ts.events.Stepped)
    ] or "metrics" in options
    (tiers,) = eager_to_learn
    assert programs(tiers) >= 1


def test_a_run_that_is_too_short_to_repay_a_program_takes_none(monkeypatch: pytest.MonkeyPatch):
    learnt: list[Any] = []
    learn = compiled.Tiers._learn
    monkeypatch.setattr(compiled.Tiers, "_learn", lambda self, *args: learnt.append(args) or learn(self, *args))
    monkeypatch.setattr(worth, "LEARNING", 1e6)
    trained("auto", OPTIMIZERS["AdamW"])
    assert not learnt
    monkeypatch.setattr(worth, "LEARNING", -1e6)
    monkeypatch.setattr(shapes, "SEEN", 2)
    trained("auto", OPTIMIZERS["AdamW"])
    assert learnt


def test_a_program_that_is_not_quicker_is_given_up(eager_to_learn: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compiled, "PAYS", 0.0)
    a, b = (trained(c, OPTIMIZERS["momentum"], epochs=8) for c in (False, "auto"))
    (tiers,) = eager_to_learn
    assert programs(tiers) == 0
    assert all(not shape.open for shape in tiers._shapes.values())
    assert identical(a[1], b[1])


def test_compile_false_takes_no_programs(eager_to_learn: Any):
    trained(False, OPTIMIZERS["momentum"])
    assert eager_to_learn == []


def test_what_an_observer_changes_is_noticed(eager_to_learn: Any):
    """It must not, and thawing a layer or a rate between epochs is common all the same."""
    ends = []
    for compile in (False, "auto"):
        model = network()

        def thaw(event: ts.events.Event, model: Any = model) -> None:
            if isinstance(event, ts.events.EpochEnded):
                model[1].p = 0.1 * event.record.epoch
                model[0].requires_grad_(event.record.epoch % 2 == 0)

        ends.append(trained(compile, OPTIMIZERS["momentum"], model=model, observers=[thaw], epochs=8))
    assert identical(ends[0][1], ends[1][1])
    assert told(ends[0][0]) == told(ends[1][0])


@pytest.mark.parametrize("policy", ["stop", "skip"])
def test_what_is_not_finite_ends_or_skips_at_the_same_step(policy: str, eager_to_learn: Any):
    x, y = PROBLEMS["mean"].batch(60, 1)
    x[17, 1] = float("inf")
    late = [3]

    class Spoilt(nn.Module):
        """Blind to the bad sample until later epochs: its first input counts only where it is finite."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = network()

        def forward(self, x: Any) -> Any:
            return self.inner(x if self.spoils else x.nan_to_num(posinf=0.0))

        spoils = False

    def spoil(model: Any) -> Any:
        def observer(event: ts.events.Event) -> None:
            if isinstance(event, ts.events.EpochEnded) and event.record.epoch == late[0]:
                model.spoils = True

        return observer

    ends = []
    for compile in (False, "auto"):
        model = Spoilt()
        options = {"model": model, "observers": [spoil(model)], "nonfinite": policy, "data": (x, y), "shuffle": False}
        ends.append(trained(compile, OPTIMIZERS["AdamW"], **options))
    assert identical(ends[0][1], ends[1][1])
    assert told(ends[0][0]) == told(ends[1][0])
    assert "not finite" in " ".join([ends[0][0].stopped, *ends[0][0].notes])


def test_asked_to_compile_what_no_program_can_repeat_fit_says_why_and_trains_as_ever():
    ends = []
    for compile in (False, True):
        model: Any = network()
        model[0].register_forward_hook(lambda module, args, output: output * 2)
        ends.append(trained(compile, OPTIMIZERS["momentum"], model=model))
    assert identical(ends[0][1], ends[1][1])
    assert ends[0][0].notes == []
    assert ends[1][0].notes == ["the steps are taken without a program of their own: there are hooks on 0."]
