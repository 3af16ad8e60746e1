"""Steps that are taken in a row, without looking up, are those one by one: weights, records, and what goes wrong."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim

import truestep as ts
from laws.step_cases import identical, snapshot
from truestep.core.streak import Streak
from truestep.fit import compiled, shapes, worth
from truestep.fit.loop import Loop

LABELS = nn.CrossEntropyLoss(ignore_index=3)
CASES: dict[str, dict[str, Any]] = {
    "descent": {"optimizer": lambda p: optim.SGD(p, 0.1)},
    "AdamW, clipped": {"optimizer": lambda p: optim.AdamW(p, 0.01), "clip_norm": 0.3},
    "momentum, a rate an epoch, a metric": {
        "optimizer": lambda p: optim.SGD(p, 0.1, momentum=0.9),
        "metrics": {"right": ts.metrics.accuracy},
        "scheduled": True,
    },
    "blocks of two batches": {"optimizer": lambda p: optim.SGD(p, 0.1), "gathered": 2},
    "as the data lie": {"optimizer": lambda p: optim.Adam(p, 0.01), "shuffle": False},
    "weighted by the class": {
        "optimizer": lambda p: optim.SGD(p, 0.1),
        "loss": nn.CrossEntropyLoss(weight=torch.tensor([0.3, 1.7, 0.9, 1.1])),
    },
    "two inputs": {"optimizer": lambda p: optim.SGD(p, 0.1), "two": True},
}


class _Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(3, 4), nn.Linear(3, 4)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.one(x) * self.other(y).tanh()


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Programs are learnt after two steps and kept; gives how many steps were taken in each row."""
    monkeypatch.setattr(worth, "LEARNING", 0.0)
    monkeypatch.setattr(shapes, "SEEN", 2)
    monkeypatch.setattr(shapes, "TAKEN", 0)
    monkeypatch.setattr(shapes, "LEAST", 0.0)  # a busy machine may take long for a small step
    monkeypatch.setattr(compiled, "PAYS", 1e9)
    end, found = Streak.end, list[int]()

    def counted(self: Streak) -> Any:
        taken = end(self)
        found.extend([taken.times] if taken is not None else [])
        return taken

    monkeypatch.setattr(Streak, "end", counted)
    return found


def data(samples: int = 61) -> Any:
    draw = torch.Generator().manual_seed(4)
    return torch.randn(samples, 3, generator=draw), torch.randint(4, (samples,), generator=draw)


def fitted(compile: Any, **case: Any) -> Any:
    """`(run, model, all that it moved)` of five epochs whose last batch is ragged."""
    torch.manual_seed(1)
    two = case.pop("two", False)
    model = _Two() if two else nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4))
    own = case.pop("optimizer")(model.parameters())
    given = {"epochs": 5, "batch_size": 8, "progress": False}
    if case.pop("scheduled", False):
        given["schedule"] = ts.per_epoch(optim.lr_scheduler.ExponentialLR(own, 0.9))
    x, y = case.pop("data", None) or data()
    inputs = (x, x.flip(0)) if two else x
    run = ts.fit(model, (inputs, y), case.pop("loss", LABELS), own, compile=compile, **{**given, **case})
    return run, model, snapshot(model, own)


def told(run: ts.Run) -> Any:
    return repr([{k: v for k, v in record.items() if k != "seconds"} for record in run.history]), run.stopped, run.steps


@pytest.mark.parametrize("name", CASES)
def test_steps_in_a_row_end_on_the_bits_of_steps_one_by_one(
    name: str, rows: list[int], monkeypatch: pytest.MonkeyPatch
):
    case = dict(CASES[name])
    if "gathered" in case:  # bytes of a batch: eight of three floats and a label
        monkeypatch.setattr("truestep.data.batches.GATHERED", 8 * 20 * case.pop("gathered"))
    (a, _, ends), (b, _, others) = (fitted(compile, **case) for compile in (False, "auto"))
    assert identical(ends, others)
    assert told(a) == told(b)
    assert sum(rows) > 0.5 * b.steps


def test_the_last_gradients_are_those_of_the_last_step_and_autograd_takes_them(rows: list[int]):
    (_, one, _), (_, other, _) = (fitted(c, **CASES["descent"], data=data(64)) for c in (False, "auto"))
    assert rows[-1] == 8
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert a.grad is not None
        assert b.grad is not None
        assert torch.equal(a.grad, b.grad)
        (b.grad * b).sum().backward()


def test_what_counts_nothing_is_left_out_at_its_own_step(rows: list[int]):
    """A batch whose labels are all ignored cannot be taken in a row, and those around it can."""
    x, y = data(64)
    y[24:32] = 3
    case = {"optimizer": lambda p: optim.SGD(p, 0.1), "data": (x, y), "shuffle": False, "nonfinite": "skip"}
    (a, _, ends), (b, _, others) = (fitted(compile, **case) for compile in (False, "auto"))
    assert identical(ends, others)
    assert told(a) == told(b)
    assert a.notes == b.notes
    assert {3, 4} <= set(rows)


@pytest.mark.parametrize("policy", ["stop", "skip"])
def test_what_overflows_is_told_at_its_own_step(policy: str, rows: list[int]):
    """Steps upwards end beyond what is finite, in the midst of a row."""
    case = {"optimizer": lambda p: optim.SGD(p, 5.0, maximize=True), "loss": nn.MSELoss(), "nonfinite": policy}
    x, y = data()
    case["data"] = x, torch.nn.functional.one_hot(y, 4).float()
    (a, _, ends), (b, _, others) = (fitted(compile, **case) for compile in (False, "auto"))
    assert identical(ends, others)
    assert told(a) == told(b)
    assert a.notes == b.notes
    assert sum(rows) > 0
    assert a.stopped or policy == "skip"


def test_a_label_that_is_no_class_fails_in_the_words_of_the_step(rows: list[int]):
    x, y = data()
    y[50] = 7
    case = {"optimizer": lambda p: optim.SGD(p, 0.1), "data": (x, y), "shuffle": False, "epochs": 1}
    texts = []
    for compile in (False, "auto"):
        with pytest.raises(ts.DataError) as failure:
            fitted(compile, **case)
        texts.append(str(failure.value))
    assert texts[0] == texts[1]
    assert rows == [1]


def test_own_observers_see_every_step_in_its_turn(rows: list[int], monkeypatch: pytest.MonkeyPatch):
    told_of: list[list[Any]] = []
    for compile in (False, "auto"):
        seen: list[Any] = []
        monkeypatch.setattr(Loop, "_own_observers", lambda *_, seen=seen: [seen.append])
        fitted(compile, **CASES["AdamW, clipped"])
        steps = [each for each in seen if isinstance(each, ts.events.Stepped)]
        told_of.append([(each.step, each.epoch, vars(each.out)) for each in steps])
    assert told_of[0] == told_of[1]
    assert rows == [2, 7, 7, 7, 7]  # of each epoch all but its ragged batch, after five are spent on finding out


def test_who_watches_each_step_has_them_taken_one_by_one(rows: list[int]):
    ends = []
    for compile in (False, "auto"):
        seen: list[Any] = []

        def watch(event: Any, seen: list[Any] = seen) -> None:
            if isinstance(event, ts.events.Stepped):
                seen.append(event.out.loss)

        fitted(compile, observers=[watch], **CASES["descent"])
        ends.append(seen)
    assert ends[0] == ends[1]
    assert rows == []


def test_ctrl_c_in_the_midst_of_a_row_loses_no_step(rows: list[int], monkeypatch: pytest.MonkeyPatch):
    from truestep.core import streak

    read, calls = streak.read, [0]

    def interrupted(*given: Any) -> Any:
        calls[0] += 1
        if calls[0] == 4:
            raise KeyboardInterrupt
        return read(*given)

    monkeypatch.setattr(streak, "read", interrupted)
    seen: list[Any] = []
    monkeypatch.setattr(Loop, "_own_observers", lambda *_: [seen.append])
    with pytest.raises(KeyboardInterrupt):
        fitted("auto", **CASES["descent"])
    assert rows == [2, 1]
    steps = max(each.step for each in seen if isinstance(each, ts.events.Stepped))
    assert seen[-1].reason == f"interrupted after {steps} steps."
    assert [type(each) for each in seen].count(ts.events.Stepped) == steps
