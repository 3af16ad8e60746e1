"""What a person sees: one moving line on a terminal, one line an epoch in a pipe, and every sentence in both."""

import io
import re
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import truestep as ts
from truestep.fit import progress
from truestep.fit.progress import Progress
from unit.fit_cases import CASES, Stream, network, sgd, simple

EPOCH = r"epoch {}  train_loss \d\.\d{{4}}  valid_loss \d\.\d{{4}}  [\d,]+ samples/s(  \*best)?"


class Screen(io.StringIO):
    """A terminal, or a pipe; it can tell what a person would see and how often it was refreshed."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    def seen(self) -> list[str]:
        """The lines that are left standing, as a terminal writes over them."""
        lines, at = [""], 0
        for sign in self.getvalue():
            if sign == "\n":
                lines, at = [*lines, ""], 0
            elif sign == "\r":
                at = 0
            else:
                lines[-1] = lines[-1][:at].ljust(at) + sign + lines[-1][at + 1 :]
                at += 1
        return [line.rstrip() for line in lines[:-1]] + ([lines[-1].rstrip()] if lines[-1].strip() else [])

    def refreshes(self) -> list[str]:
        return re.findall(r"\r(epoch [^\r\n]* step [^\r\n]*)", self.getvalue())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A clock that stands until it is moved, where progress looks for the time."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def shown(monkeypatch: pytest.MonkeyPatch, terminal: bool, **options: Any) -> tuple[Screen, ts.Run]:
    screen = Screen(terminal)
    monkeypatch.setattr(sys, "stderr", screen)
    return screen, simple(**{"progress": True, "validate": CASES["tokens"].data(5), **options})


def test_in_a_pipe_there_is_one_line_an_epoch_and_nothing_else(monkeypatch: pytest.MonkeyPatch):
    screen, _ = shown(monkeypatch, False, epochs=10)
    lines = screen.getvalue().split("\n")
    assert len(lines) == 11
    assert lines[-1] == ""
    for number, line in enumerate(lines[:-1], start=1):
        assert re.fullmatch(EPOCH.format(f"{number:2d}/10"), line)


def test_the_best_epoch_so_far_is_marked(monkeypatch: pytest.MonkeyPatch):
    model = network()
    screen, run = shown(monkeypatch, False, epochs=4, model=model, optimizer=sgd(model, 5.0))
    losses = run.history["valid_loss"]
    best = [loss == min(losses[: number + 1]) for number, loss in enumerate(losses)]
    assert [line.endswith("  *best") for line in screen.seen()] == best
    assert not all(best)


@pytest.mark.parametrize("pause", [0.001, 0.013, 0.25])
def test_on_a_terminal_there_are_at_most_ten_refreshes_a_second(
    monkeypatch: pytest.MonkeyPatch, clock: Any, pause: float
):
    def passing(event: Any) -> None:
        if isinstance(event, ts.events.Stepped):
            clock.now += pause

    screen, run = shown(monkeypatch, True, batch_size=1, epochs=10, observers=[passing])
    seconds = clock.now - 100.0
    refreshes = screen.refreshes()
    assert run.steps == 130
    assert len(refreshes) <= 10 * seconds + 1
    assert len(refreshes) >= min(run.steps, 10 * seconds * 0.75)


def test_the_moving_line_is_written_over_and_leaves_no_trace(monkeypatch: pytest.MonkeyPatch, clock: Any):
    """Long lines before short ones, and a sentence in the midst of an epoch."""

    def passing(event: Any) -> None:
        clock.now += 1.0

    x, y = CASES["tokens"].data(12)
    y[4:6] = -100
    screen, run = shown(monkeypatch, True, train=(x, y), batch_size=2, epochs=3, shuffle=False, observers=[passing])
    assert len(screen.refreshes()) == 18
    expected = ["note: step 3 skipped: nothing in the batch is counted: every target is ignored", EPOCH.format("1/3")]
    for epoch, step in ((2, 9), (3, 15)):
        expected += [f"note: step {step} skipped: .*", EPOCH.format(f"{epoch}/3")]
    lines = screen.seen()
    assert len(lines) == len(expected)
    assert all(re.fullmatch(pattern, line) for pattern, line in zip(expected, lines, strict=True))
    assert len(run.notes) == 3


def test_a_shorter_line_leaves_nothing_of_a_longer_one(clock: Any):
    screen = Screen(True)
    show = Progress(True, screen)
    show(ts.events.Started({"epochs": 1, "steps_per_epoch": 20_000}))
    for step, loss, text in ((1000, 1.5e6, "1.500e+06"), (10_000, 0.5, "0.5000"), (10_001, float("nan"), "nan")):
        clock.now += 1.0
        show(ts.events.Stepped(step, 1, SimpleNamespace(loss=loss)))  # pyright: ignore[reportArgumentType]
        bar = ("#" * (24 * step // 20_000)).ljust(24, ".")
        assert screen.seen() == [f"epoch 1/1 [{bar}] step {step}/20000  loss {text}"]
    show(ts.events.Said("short"))
    assert screen.seen() == ["note: short"]


def test_the_moving_line_counts_the_steps_of_the_epoch_skipped_ones_too(monkeypatch: pytest.MonkeyPatch, clock: Any):
    def passing(event: Any) -> None:
        clock.now += 1.0

    x, y = CASES["tokens"].data(8)
    y[:2] = -100
    screen, _ = shown(monkeypatch, True, train=(x, y), batch_size=2, shuffle=False, observers=[passing])
    found = [re.match(r"epoch (\d/2) \[([#.]{24})\] step (\d/4)  loss \S+", line) for line in screen.refreshes()]
    assert [match and match.group(1, 3) for match in found] == [
        (f"{e}/2", f"{s}/4") for e in (1, 2) for s in (1, 2, 3, 4)
    ]
    assert [match and match.group(2).count("#") for match in found] == [6, 12, 18, 24] * 2


@pytest.mark.parametrize("tail, whole", [("step", 4), ("drop", 3), ("carry", 4)])
def test_the_moving_line_knows_how_many_windows_an_epoch_has(
    monkeypatch: pytest.MonkeyPatch, clock: Any, tail: str, whole: int
):
    screen, _ = shown(monkeypatch, True, batch_size=2, accumulate=2, tail=tail, epochs=1)
    assert f"step 1/{whole} " in screen.refreshes()[0]


def test_a_stream_of_unknown_length_has_no_bar(monkeypatch: pytest.MonkeyPatch, clock: Any):
    loader = DataLoader(Stream(CASES["tokens"].data(6)), batch_size=2)
    screen, _ = shown(monkeypatch, True, train=loader, epochs=1)
    assert re.match(r"epoch 1/1  step 1  loss ", screen.refreshes()[0])


@pytest.mark.parametrize("terminal", [True, False])
def test_without_progress_only_what_must_not_be_missed_is_written(monkeypatch: pytest.MonkeyPatch, terminal: bool):
    model = nn.Linear(3, 1).double()
    data = torch.ones(8, 3).double(), torch.ones(8, 1).double()
    loss = nn.MSELoss(reduction="sum")
    options = {"model": model, "train": data, "validate": data, "objective": loss, "optimizer": sgd(model, 1e-3)}
    screen, run = shown(monkeypatch, terminal, progress=False, **options)
    assert screen.getvalue() == f"note: {run.notes[0]}\n"
    screen, run = shown(monkeypatch, terminal, progress=False)
    assert screen.getvalue() == ""
    screen, run = shown(
        monkeypatch, terminal, progress=False, epochs=9, patience=1, model=(m := network()), optimizer=sgd(m, 9.0)
    )
    assert screen.getvalue() == f"{run.stopped}\n"


def test_nothing_goes_to_stdout(capsys: pytest.CaptureFixture[str]):
    simple(progress=True, objective=nn.CrossEntropyLoss(reduction="sum"))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 3


def test_figures_of_every_size_are_readable():
    screen = Screen(False)
    show = Progress(True, screen)
    figures = {"train_loss": 1234567.8, "valid_loss": 1e-7, "train_a": float("nan"), "train_b": 0.0, "train_c": 0.12345}
    record = ts.Record({"epoch": 1, **figures, "samples": 10, "steps": 1, "skipped": 0, "seconds": 0.0})
    show(ts.events.Started({"epochs": 1}))
    show(ts.events.EpochEnded(record, False))
    assert screen.getvalue() == (
        "epoch 1/1  train_loss 1.235e+06  valid_loss 1.000e-07  train_a nan  train_b 0.0000  train_c 0.1235  "
        "0 samples/s\n"
    )


def test_a_program_without_stderr_trains(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert len(simple(progress=True).history) == 2


class Closed(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError("nobody reads")


def test_a_closed_pipe_does_not_end_the_run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stderr", Closed())
    run = simple(progress=True)
    assert len(run.history) == 2
    assert run.notes == ["the observer Progress failed (BrokenPipeError: nobody reads) and is left out from here."]
