"""SIGINT and SIGTERM in real processes: the step is finished and saved; a second one does not wait."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

import truestep as ts
from laws.resume_cases import Case, train
from truestep.fit.signals import Interrupted, Signals
from truestep.store.keep import Kept

TESTS = Path(__file__).parents[1]


class Child:
    """A run in a process of its own."""

    def __init__(self, *words: Any) -> None:
        path = os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH")]))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "faults.long_run", *map(str, words)],
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def reach(self, step: int) -> None:
        """Wait until it has taken a step."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line == f"step {step}\n":
                return
        raise AssertionError(self.process.communicate()[1])

    def end(self, *signals: signal.Signals) -> tuple[int, str]:
        """Send signals; its exit status, and what it said on stderr."""
        for number in signals:
            self.process.send_signal(number)
        try:
            _, err = self.process.communicate(timeout=60)
        finally:
            self.process.kill()
        return self.process.returncode, err


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.long), signal.SIGTERM])
def test_a_signal_finishes_the_step_saves_and_ends_with_a_sentence(tmp_path: Path, number: signal.Signals):
    child = Child(tmp_path)
    child.reach(7)
    status, err = child.end(number)
    (path,) = Kept(tmp_path).paths()
    step = int(path.name[5:15])
    assert step >= 7
    assert (status, err) == (
        130,
        f"interrupted by {number.name} after {step} steps; their state is saved in {tmp_path}: resume=True goes on "
        "from it.\n",
    )


def test_a_second_signal_stops_at_once(tmp_path: Path):
    """The third step hangs for a minute: it is not waited for."""
    child = Child(tmp_path, "", "hang")
    child.reach(3)
    child.process.send_signal(signal.SIGTERM)
    threading.Event().wait(0.3)
    assert child.process.poll() is None
    assert child.end(signal.SIGINT) == (130, "stopped at once by a second signal (SIGINT).\n")
    assert Kept(tmp_path).paths() == []


@pytest.mark.long
def test_without_checkpoints_a_signal_does_what_it_did():
    child = Child("none")
    child.reach(2)
    assert child.end(signal.SIGTERM) == (-signal.SIGTERM, "")


def test_handlers_are_put_back_and_set_in_the_main_thread_only():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def inside(found: dict[str, Any]) -> None:
        with Signals():
            found |= {number: signal.getsignal(number) for number in before}

    found: dict[Any, Any] = {}
    inside(found)
    assert all(found[number] != before[number] for number in before)
    other: dict[Any, Any] = {}
    thread = threading.Thread(target=inside, args=(other,))
    thread.start()
    thread.join()
    assert other == before == {number: signal.getsignal(number) for number in before}


def test_a_signal_that_the_program_ignores_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Signals() as signals:
            signal.raise_signal(signal.SIGINT)
            assert (signals.asked, signal.getsignal(signal.SIGINT)) == ("", signal.SIG_IGN)
    finally:
        signal.signal(signal.SIGINT, before)


def test_handlers_are_put_back_however_a_run_ends(tmp_path: Path):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    case = Case("momentum", 0.3, True, (1, "step"), "none", None, None)

    def fails(event: Any) -> None:
        if isinstance(event, ts.events.Stepped) and event.step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(case, checkpoint=tmp_path / "a", observers=[fails])
    with pytest.raises(
        Interrupted, match=r"^interrupted by SIGINT after 4 steps; their state is saved in .*/b: resume="
    ):
        train(case, 4, checkpoint=tmp_path / "b")
    state = torch.get_rng_state()
    train(case, checkpoint=tmp_path / "b", resume=True)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert len(state) == len(torch.get_rng_state())
