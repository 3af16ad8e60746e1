"""When `fit` goes over to programs and to compiled steps, in worlds where everything takes as long as is said here.

No step is taken and no clock is read: time goes on when something is said to have been done.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from truestep.core.ranks import Ranks
from truestep.data.batches import TensorSource
from truestep.fit import compiled, libraries, shapes, worth
from truestep.fit.compiled import Tiers
from truestep.fit.worth import Worth

OPERATIONS = 30
MICROS = [(torch.zeros(1), torch.zeros(1))]


@dataclass
class World:
    """What things take, in seconds of processor time.

    Args:
        eager, program, compiled: a step in each of the three ways.
        small: whether steps are compiled several a call.
        slow: how many times as long a library takes as is expected.
        spare: whether it is built on a core of its own.
        pace: the share of that core which others leave it.
        there: whether it was built before.
    """

    eager: float
    program: float
    compiled: float
    small: bool = True
    slow: float = 1.0
    spare: bool = True
    pace: float = 1.0
    there: bool = False
    now: float = 0.0
    lost: float = 0.0
    done: list[str] = field(default_factory=list)
    building: float | None = None

    def passes(self, seconds: float) -> None:
        """Something is done; a build goes on beside it, or takes half of the core."""
        if self.building is not None and self.building > 0:
            beside = min(seconds * self.pace, self.building)
            self.building -= beside
            self.lost += beside
            self.now += 0.0 if self.spare else beside
        self.now += seconds

    def takes(self, micros: Any) -> None:
        """A step as ever."""
        self.passes(self.eager)

    @property
    def expected(self) -> Worth:
        return Worth(self.program, compiled.TIMES if self.small else 1, OPERATIONS)

    def train(self, compile: Any, steps: int, monkeypatch: pytest.MonkeyPatch, known: bool = True) -> None:
        """A run of so many steps."""
        clock = SimpleNamespace(perf_counter=lambda: self.now)
        monkeypatch.setattr(compiled, "time", clock)
        monkeypatch.setattr(libraries, "time", clock)
        monkeypatch.setattr(compiled, "Traced", lambda step: Programs(self))
        monkeypatch.setattr(compiled, "Compiled", lambda *given: Steps(self, given[-1]))
        monkeypatch.setattr(compiled, "effort", lambda program: 0.0 if self.small else 1.0)
        monkeypatch.setattr(libraries, "kept", lambda plan: SimpleNamespace(exists=lambda: self.there))
        monkeypatch.setattr(libraries, "Build", lambda plan, aside: Building(self))
        monkeypatch.setattr(libraries, "spare", lambda: self.spare)
        step: Any = SimpleNamespace(eagerly=self.takes, taken=0)
        said = lambda sentence: sentence.endswith(compiled.TAKE_OVER) or self.done.append(sentence)  # noqa: E731
        tiers = Tiers(step, compile, steps if known else 0, True, said)
        source = TensorSource((torch.zeros(steps), torch.zeros(steps)), 1, None, Ranks(), torch.device("cpu"))
        for number in range(steps):
            tiers.take(MICROS, [])
            if tiers.several is not None:
                for _ in tiers.rest(source, 1, number + 1, lambda rows: None):
                    tiers.take(MICROS, [])
                break
        tiers.close()


class Programs:
    """In the place of `Traced`."""

    tensors = None

    def __init__(self, world: World) -> None:
        self.world, self.known = world, False

    def knows(self, shape: Any) -> bool:
        return self.known

    def window(self, shape: Any) -> Any:
        half = SimpleNamespace(graph=SimpleNamespace(nodes=range(OPERATIONS // 2)))
        return SimpleNamespace(forward=half, update=half)

    def forget(self, shape: Any) -> None:
        self.known = False
        self.world.done.append("programs given up")

    def take(self, micros: Any, before: Any, shape: Any) -> None:
        self.world.passes(self.world.program)

    def learn(self, micros: Any, shape: Any) -> tuple[None, str]:
        self.world.passes(worth.LEARNING + shapes.TAKEN * self.world.eager)
        self.world.done.append("programs")
        self.known = True
        return None, ""


class Steps:
    """In the place of `Compiled`: writing the steps down, and what a call takes."""

    plan = None

    def __init__(self, world: World, times: int) -> None:
        self.world, self.times = world, times
        world.passes(world.expected.opening / 2)

    def load(self, path: str) -> None:
        self.world.passes(self.world.expected.opening / 2)
        self.world.done.append("loaded")

    def take(self, batch: Any) -> Any:
        self.world.passes(self.world.compiled * self.times)
        return SimpleNamespace(times=self.times, out=lambda number: None)


class Building:
    """In the place of `Build`."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.building = world.expected.building * world.slow
        world.done.append("built")

    def ended(self) -> bool:
        return self.world.building == 0

    def used(self) -> float:
        assert self.world.building is not None
        return self.world.expected.building * self.world.slow - self.world.building

    def library(self) -> str:
        assert self.world.building is not None
        if self.world.building:
            self.world.done.append("waited")
            self.world.now += self.world.building
            self.world.lost += self.world.building
            self.world.building = 0.0
        return ""

    def stop(self) -> None:
        if self.world.building:
            self.world.done.append("stopped")
        self.world.building = None


@pytest.fixture(autouse=True)
def a_hundred_times_as_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compilers, so that no test goes over a million steps."""
    for name in ("BUILDING", "AN_OPERATION", "OPENING", "ITS_TRACE"):
        monkeypatch.setattr(worth, name, getattr(worth, name) / 100)
    for name in ("LOOK", "JUDGED"):
        monkeypatch.setattr(libraries, name, getattr(libraries, name) / 100)
    monkeypatch.setattr(worth, "TICK", worth.TICK / 100)


SMALL = World(eager=2e-4, program=6e-5, compiled=4e-6)
LARGE = World(eager=3e-3, program=2.85e-3, compiled=2.4e-3, small=False)
WORLDS = {
    "small": SMALL,
    "small, and no core to spare": replace(SMALL, spare=False),
    "small, built before": replace(SMALL, there=True),
    "large": LARGE,
    "large, and no core to spare": replace(LARGE, spare=False),
    "large, built before": replace(LARGE, there=True),
    "a build takes twice as long": replace(LARGE, slow=2.0),
    "a build takes half as long": replace(LARGE, slow=0.5),
    "a small one takes twice as long": replace(SMALL, slow=2.0, spare=False),
    "all ways are nearly as quick": replace(LARGE, program=2.9e-3, compiled=2.88e-3),
    "programs are no quicker": replace(LARGE, program=3e-3),
    "programs are slower": replace(LARGE, program=3.5e-3),
}
LENGTHS = [1, 30, 300, 1000, 3000, 30_000]


@pytest.mark.parametrize("compile", ["exact", "auto"])
@pytest.mark.parametrize("world", WORLDS)
def test_no_run_of_any_length_takes_longer_than_steps_as_ever(
    compile: str, world: str, monkeypatch: pytest.MonkeyPatch
):
    """Neither by the clock on the wall nor in processor time, set-up and builds included.

    What is tried and given up is bounded: one trial of programs, and the steps that were measured meanwhile.
    """
    for steps, known in itertools.product(LENGTHS, (True, False)):
        here = replace(WORLDS[world], done=[])
        here.train(compile, steps, monkeypatch, known)
        ever = here.eager * steps
        trial = worth.LEARNING + (shapes.TAKEN + shapes.SEEN) * here.eager
        allowed = ever + (trial if "programs given up" in here.done or not known else 1e-9)
        assert here.now <= allowed, (steps, known, here)
        assert here.now + (here.lost if here.spare else 0.0) <= allowed, (steps, known, here)


def ended(world: World, compile: Any, steps: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    here = replace(world, done=[])
    here.train(compile, steps, monkeypatch)
    return here.done


def test_a_long_run_is_compiled_a_short_one_is_not_and_nobody_waits(monkeypatch: pytest.MonkeyPatch):
    assert ended(SMALL, "auto", 40_000, monkeypatch) == ["programs", "built", "loaded"]
    assert ended(SMALL, "auto", 5000, monkeypatch) == ["programs"]
    assert ended(LARGE, "auto", 20_000, monkeypatch) == ["programs", "built", "loaded"]


def test_exact_never_compiles(monkeypatch: pytest.MonkeyPatch):
    assert ended(SMALL, "exact", 20_000, monkeypatch) == ["programs"]
    assert ended(replace(SMALL, there=True), "exact", 20_000, monkeypatch) == ["programs"]


def test_a_library_that_is_there_is_loaded_by_a_much_shorter_run(monkeypatch: pytest.MonkeyPatch):
    assert ended(replace(SMALL, there=True), "auto", 5000, monkeypatch) == ["programs", "loaded"]
    assert ended(replace(SMALL, there=True), "auto", 15, monkeypatch) == []


def test_a_build_that_takes_too_long_is_stopped_when_its_steps_are_gone(monkeypatch: pytest.MonkeyPatch):
    slow = replace(SMALL, slow=1e6)
    assert ended(slow, "auto", 40_000, monkeypatch) == ["programs", "built", "stopped"]


@pytest.mark.parametrize("pace", [0.001, 0.03, 0.1, 0.3])
def test_a_build_that_others_keep_from_its_core_costs_next_to_nothing(pace: float, monkeypatch: pytest.MonkeyPatch):
    """It is stopped as soon as its pace tells that it would come too late, and else it is repaid."""
    for steps in (10_000, 20_000, 30_000, 40_000):
        here = replace(SMALL, pace=pace, done=[])
        here.train("auto", steps, monkeypatch)
        programs = here.program * steps
        if "loaded" in here.done:
            assert here.now + here.lost < 0.9 * programs
        else:
            assert here.lost <= 2 * libraries.JUDGED * pace
            assert "built" not in here.done or here.done[-1] == "stopped"


def test_a_build_that_goes_on_and_on_is_stopped_at_twice_its_time(monkeypatch: pytest.MonkeyPatch):
    here = replace(SMALL, slow=1e6, done=[])
    here.train("auto", 100_000, monkeypatch)
    assert here.done == ["programs", "built", "stopped"]
    assert here.lost < worth.SPREAD * here.expected.building + 2 * libraries.JUDGED


def test_compiled_steps_that_are_no_quicker_are_given_up(monkeypatch: pytest.MonkeyPatch):
    for world in (replace(SMALL, there=True, compiled=1e-4), replace(LARGE, there=True, compiled=4e-3)):
        here = replace(world, done=[])
        here.train("auto", 2000, monkeypatch)
        lost = here.expected.opening + 2 * shapes.SEEN * compiled.TIMES * here.compiled + worth.LEARNING
        assert here.now <= here.program * 2000 + lost + here.eager * 40
        assert "loaded" in here.done


def test_who_asks_at_once_waits_and_goes_by_no_clock(monkeypatch: pytest.MonkeyPatch):
    """The same steps in the same ways in a world that is quick and in one where nothing pays."""
    worlds: list[Callable[[], World]] = [lambda: SMALL, lambda: replace(SMALL, program=1.0, compiled=2.0, slow=50.0)]
    for make in worlds:
        assert ended(make(), True, 100, monkeypatch) == ["programs", "built", "waited", "loaded"]


def test_worth_is_arithmetic_on_seconds():
    small, large = Worth(1e-3, 10, 30), Worth(1e-1, 1, 30)
    assert not small.opened(0)
    assert small.opened(small.opening / small.saved + 1)
    assert not small.opened(small.opening / small.saved - 1)
    for one in (small, large):
        needed = 2 * one.building / one.each + (2 * one.building + one.opening) / one.saved
        assert one.built(needed + 1)
        assert not one.built(needed - 1)
    # It goes on at its pace; where it gets but a tenth of a core, it does not.
    used, left = 0.05, (2 * small.building + small.opening) / small.saved + 2 * small.building / small.each
    assert small.built(left - used / small.each, used, used / small.each)
    assert not small.built(left - 10 * used / small.each, used, 10 * used / small.each)
    assert small.building > Worth(1e-3, 1, 30).building
