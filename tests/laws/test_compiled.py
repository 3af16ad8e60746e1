"""Whole steps as one function, and several of them a call: the steps one by one, to rounding, and as finite.

Most of it is shown without the compiler, by the very program that would be compiled.
"""

import itertools
from typing import Any

import pytest
import torch
from torch import nn, optim
from torch.utils.data import DataLoader

import truestep as ts
from laws.compiled_cases import Instead, load, near, network, same_figures
from laws.step_cases import PROBLEMS, snapshot
from laws.test_tiers import OPTIMIZERS, trained
from truestep.core.compiled import Compiled
from truestep.core.errors import TraceError
from truestep.fit import compiled, libraries, shapes, worth
from truestep.fit.loop import Loop
from truestep.fit.worth import Worth


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Any:
    """The program in the place of what the compiler would make of it; gives the runs' `Tiers`."""
    found: list[compiled.Tiers] = []
    start = Loop._start

    def watched(self: Loop) -> None:
        start(self)
        found.extend([self.tiers] if isinstance(self.tiers, compiled.Tiers) else [])

    monkeypatch.setattr(Loop, "_start", watched)
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(libraries, "Build", Instead)
    monkeypatch.setattr(Compiled, "load", load)
    monkeypatch.setattr(shapes, "SEEN", 1)
    monkeypatch.setattr(compiled, "SMALL", 1e9)
    return found


@pytest.fixture
def worthwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is expected to be repaid, and is taken to be."""
    monkeypatch.setattr(worth, "LEARNING", -1.0)
    monkeypatch.setattr(compiled, "PAYS", 1e9)
    monkeypatch.setattr(Worth, "opened", lambda self, left: True)
    monkeypatch.setattr(Worth, "built", lambda self, left, used=0.0, meanwhile=0.0: True)


SETTINGS: dict[str, dict[str, Any]] = {
    "several a call": {},
    "clipped, with a metric": {"clip_norm": 0.3, "metrics": {"mae": ts.metrics.mean_absolute_error}},
    "in order": {"shuffle": False},
    "one a call: accumulated": {"accumulate": 2, "micro_batch": 3},
    "one a call: a schedule": {"schedule": True},
}


QUICK = [("several a call", "AdamW"), ("clipped, with a metric", "momentum"), ("one a call: a schedule", "AdamW")]
CASES = [
    pytest.param(*case, marks=() if case in QUICK else pytest.mark.long)
    for case in itertools.product(SETTINGS, OPTIMIZERS)
]


@pytest.mark.parametrize("settings, optimizer", CASES)
def test_whole_steps_are_the_steps_to_rounding(settings: str, optimizer: str, at_once: Any):
    """Figures, weights, statistics and optimizer state, over epochs of 13 batches, the last of them ragged."""
    options = {**SETTINGS[settings], "data": PROBLEMS["mean"].batch(101, 1), "epochs": 5}
    (a, ended, seen), (b, other, also) = (
        trained(c, OPTIMIZERS[optimizer], model=network(), **options) for c in (False, True)
    )
    assert near(ended, other)
    assert same_figures(a, b)
    steps = [[e for e in events if isinstance(e, ts.events.Stepped)] for events in (seen, also)]
    assert [(e.step, e.epoch, e.out.samples) for e in steps[0]] == [(e.step, e.epoch, e.out.samples) for e in steps[1]]
    assert near([e.out.loss for e in steps[0]], [e.out.loss for e in steps[1]])
    assert near([e.out.grad_norm for e in steps[0]], [e.out.grad_norm for e in steps[1]])
    (tiers,) = at_once
    whole = [shape.whole for shape in tiers._shapes.values() if shape.whole is not None]
    assert bool(whole) == settings.startswith("one a call")
    assert (tiers.several is not None) != bool(whole)


@pytest.mark.parametrize("kind", [optim.NAdam, optim.RAdam])
@pytest.mark.parametrize("settings", ["several a call", "one a call: a schedule"])
def test_rules_that_count_their_steps_are_whole_steps_too(settings: str, kind: Any, at_once: Any):
    """NAdam multiplies its momenta as it goes, and RAdam divides from its sixth step on."""
    options = {**SETTINGS[settings], "data": PROBLEMS["mean"].batch(101, 1), "epochs": 5}
    make = lambda p: kind(p, 0.01, weight_decay=0.01)  # noqa: E731
    (a, ended, _), (b, other, _) = (trained(c, make, model=network(), **options) for c in (False, True))
    assert near(ended, other)
    assert same_figures(a, b)
    (tiers,) = at_once
    assert (tiers.several is not None) == (settings == "several a call")
    assert tiers.several is not None or any(shape.whole is not None for shape in tiers._shapes.values())


@pytest.mark.parametrize("settings", ["in order", "one a call: accumulated"])
def test_data_that_lie_otherwise_than_a_kernel_reads_them_are_laid_out_anew_or_not_given_to_it(
    settings: str, at_once: Any
):
    """Columns side by side; and batches one by one, every other of which lies so."""
    x, y = PROBLEMS["mean"].batch(104, 1)
    turned = x.t().contiguous().t()
    slices = list(zip(x.split(8), turned.split(8), y.split(8), strict=True))
    each = [(x if number % 2 else turned, y) for number, (x, turned, y) in enumerate(slices)]
    several = settings == "in order"
    data: Any = (turned, y) if several else DataLoader(each, batch_size=None)  # pyright: ignore[reportArgumentType]
    options = {"shuffle": False} if several else {"batch_size": None}
    ends = [trained(c, OPTIMIZERS["momentum"], model=network(), data=data, epochs=5, **options) for c in (False, True)]
    assert near(ends[0][1], ends[1][1])
    assert same_figures(ends[0][0], ends[1][0])
    (tiers,) = at_once
    assert (tiers.several is not None) == several
    assert any(shape.whole is not None for shape in tiers._shapes.values()) != several


@pytest.mark.parametrize("objective", ["tokens", "sum beside mean"])
def test_counts_that_labels_decide_are_counted_in_whole_steps(objective: str, at_once: Any):
    ends = []
    case = PROBLEMS[objective]
    for compile in (False, True):
        model = network()
        optimizer = optim.SGD(model.parameters(), 0.05)
        x, y = case.batch(101, 3)
        run = ts.fit(model, (x, y), case.objective, optimizer, 4, 8, compile=compile, progress=False)
        ends.append((run, snapshot(model)))
    assert near(ends[0][1], ends[1][1])
    assert same_figures(ends[0][0], ends[1][0])
    assert at_once[0].several is not None


@pytest.mark.parametrize("bad, policy, accumulate", [(44, "skip", 1), (3, "stop", 1), (44, "skip", 2)])
def test_the_step_that_is_not_finite_is_found_among_several(bad: int, policy: str, accumulate: int, at_once: Any):
    """A sample is spoilt while the third epoch begins: the steps before it count, and the words are the same."""
    ends = []
    for compile in (False, True):
        x, y = PROBLEMS["mean"].batch(101, 1)

        def spoil(event: ts.events.Event, y: Any = y) -> None:
            if isinstance(event, ts.events.EpochEnded) and event.record.epoch == 3:
                y[bad, 1] = float("nan")

        model = network()
        optimizer = optim.AdamW(model.parameters(), 0.01)
        run = ts.fit(
            model, (x, y), nn.MSELoss(), optimizer, 5, 8, compile=compile, progress=False, shuffle=False,
            nonfinite=policy, observers=[spoil], accumulate=accumulate,
        )  # fmt: skip
        ends.append((run, snapshot(model, optimizer)))
    (a, ended), (b, other) = ends
    assert near(ended, other)
    assert (a.stopped, a.notes, a.steps) == (b.stopped, b.notes, b.steps)
    assert "not finite" in " ".join([b.stopped, *b.notes])
    assert same_figures(a, b)
    whole = [shape for shape in at_once[0]._shapes.values() if shape.whole is not None]
    assert (at_once[0].several is not None) == (accumulate == 1) != bool(whole)


def test_a_batch_that_counts_nothing_among_several_is_skipped(at_once: Any):
    ends = []
    for compile in (False, True):
        x, y = PROBLEMS["tokens"].batch(101, 3)
        y[32:40] = -100
        model = network()
        optimizer = optim.SGD(model.parameters(), 0.05, momentum=0.5)
        run = ts.fit(
            model, (x, y), nn.CrossEntropyLoss(), optimizer, 3, 8, compile=compile, progress=False, shuffle=False
        )
        ends.append((run, snapshot(model, optimizer)))
    assert near(ends[0][1], ends[1][1])
    assert same_figures(ends[0][0], ends[1][0])
    assert ends[1][0].history["skipped"] == [1, 1, 1]


def test_several_steps_a_call_that_are_not_quicker_are_given_up(
    at_once: Any, worthwhile: None, monkeypatch: pytest.MonkeyPatch
):
    judge = compiled.Tiers._judge_several

    def slow(self: compiled.Tiers) -> None:
        monkeypatch.setattr(compiled, "PAYS", 0.0)
        judge(self)

    monkeypatch.setattr(compiled.Tiers, "_judge_several", slow)
    ends = [
        trained(c, OPTIMIZERS["momentum"], model=network(), data=PROBLEMS["mean"].batch(101, 1))
        for c in (False, "auto")
    ]
    assert near(ends[0][1], ends[1][1])
    assert ends[1][0].notes.pop().endswith(compiled.TAKE_OVER)
    assert same_figures(ends[0][0], ends[1][0])
    assert at_once[0].several is None


def test_compiled_steps_take_over_in_the_midst_of_a_run_which_says_from_which_step_on(
    at_once: Any, worthwhile: None, monkeypatch: pytest.MonkeyPatch
):
    """After forty looks at the build, where the epoch has ten steps left and more: none is taken twice or left out."""
    looks, taken, steps, take = itertools.count(1), list[int](), list[int](), Compiled.take
    monkeypatch.setattr(libraries, "LOOK", 0.0)
    monkeypatch.setattr(Instead, "ended", lambda self: next(looks) > 40)

    def counted(self: Compiled, calls: Any) -> Any:
        taken.extend([] if taken else [steps[-1]])
        rows = take(self, calls)
        taken.append(0 if rows is None else rows.times)
        return rows

    monkeypatch.setattr(Compiled, "take", counted)
    data = PROBLEMS["mean"].batch(160, 1)

    def watch(event: ts.events.Event) -> None:
        if isinstance(event, ts.events.Stepped):
            steps.append(event.step)

    ends = [
        trained(c, OPTIMIZERS["AdamW"], model=network(), data=data, epochs=9, observers=[watch])
        for c in (False, "auto")
    ]
    assert near(ends[0][1], ends[1][1])
    note = ends[1][0].notes.pop()
    assert note.endswith(compiled.TAKE_OVER)
    assert same_figures(ends[0][0], ends[1][0])
    first = int(note.split()[2])
    assert taken[0] == first - 1
    assert 20 < first < 180
    assert sum(taken[1:]) == (20 - (first - 1) % 20) // 10 * 10 + (180 - first + 1) // 20 * 20


def test_an_observer_that_freezes_a_layer_ends_the_steps_several_a_call(at_once: Any):
    ends, held = [], list[Any]()
    for compile in (False, True):
        model: Any = network()

        def freeze(event: ts.events.Event, model: Any = model) -> None:
            if isinstance(event, ts.events.Stepped) and event.step == 40:
                model[0].requires_grad_(False)
                held.extend(tiers.several for tiers in at_once)

        _, ended, _ = trained(compile, OPTIMIZERS["momentum"], model=model, observers=[freeze], shuffle=False,
                              data=PROBLEMS["mean"].batch(80, 1))  # fmt: skip
        ends.append(ended)
    assert near(*ends)
    assert held[0] is not None
    assert at_once[0].several is not held[0]


REFUSED: dict[str, Any] = {
    "it draws random numbers": lambda: nn.Sequential(nn.Linear(3, 5), nn.Dropout(0.2)).double(),
}


@pytest.mark.parametrize("words", REFUSED)
def test_asked_to_compile_what_cannot_be_fit_says_why_and_takes_programs(words: str, at_once: Any):
    ends = []
    for compile in (False, True):
        torch.manual_seed(0)
        ends.append(trained(compile, OPTIMIZERS["momentum"], model=REFUSED[words](), batch_size=10))
    assert all(torch.equal(a, b) for a, b in zip(ends[0][1], ends[1][1], strict=True))
    (note,) = ends[1][0].notes
    assert note.startswith("the steps are programs that are not compiled: ")
    assert words in note


@pytest.mark.parametrize("compile", [True, "auto"])
def test_a_library_that_cannot_be_built_costs_a_sentence(
    compile: Any, at_once: Any, worthwhile: None, monkeypatch: pytest.MonkeyPatch
):
    def missing(self: Any) -> str:
        raise TraceError("there is no C++ compiler here: install g++, or stay with compile=False.")

    monkeypatch.setattr(Instead, "library", missing)
    ends = [trained(c, OPTIMIZERS["momentum"], model=network(), batch_size=10) for c in (False, compile)]
    assert all(torch.equal(a, b) for a, b in zip(ends[0][1], ends[1][1], strict=True))
    assert ends[1][0].notes == [
        "the steps are programs that are not compiled: there is no C++ compiler here: install g++, or stay with "
        "compile=False."
    ]
