"""Writes the record while a program runs, and decides when to look closely."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from heapq import merge
from operator import attrgetter
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from truestep.check import site
from truestep.check.changes import Step
from truestep.check.codes import Codes
from truestep.check.contents import Contents
from truestep.check.events import Event, Names
from truestep.check.facts import facts
from truestep.check.looks import GRAD, seen
from truestep.check.numbers import Numbers
from truestep.check.points import Points
from truestep.check.shorthand import FACTS, Shorthand
from truestep.check.stowed import Stowed
from truestep.check.trace import Kind, Trace

FIRST, SECOND = 100, 300
"""Updates from the start of a run that are looked at closely, and those after which closeness is rare."""
EVERY, RARELY = 25, 500
"""Of those between, two neighbours in so many; of those after them, in so many."""
AFRESH, ANEW = 12, 20
"""Updates that are looked at closely where another part begins: one more optimizer or module; and for how many such."""
LEAST, WORTH = 12, 100
"""The fewest updates of those at the start, where many calls of torch make an update: so many of them count as one."""
STRETCH = 10_000
"""Calls of torch between two updates after which a look ends before its time; twice as many the next time."""
QUIET, QUIETLY = 4, 100
"""Forward passes without training, after each update, that are looked at closely; and those of a close look. Of the
first `FIRST` stretches of them all are, and then those that begin `EVERY` updates after the last: one that learns from
what it does has one for each update."""
FETCHED, FETCHES = 256, 2048
"""Calls looked at while one batch is made, whose samples have the same ones; those of a loader until only the first
batch of each pass is looked at while it is made."""
MOST = 300_000
"""Events kept; afterwards only what needs no close look."""
LAST = 600_000
"""Events kept at all, of some 75,000 updates: half a gigabyte at the end, told and judged in seconds."""
SNAPSHOTS = 400
RESTS = 100
"""Of these so many at most are of the first update after an evaluation."""
PARCEL = 1000
"""Events that are put away together."""


class Looking:
    """Inside, torch runs as if nobody watched, and a failure of ours stays ours: it is noted, never raised."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._off: list[Any] = []

    def __enter__(self) -> None:
        off = torch._C.DisableTorchFunction()
        off.__enter__()
        self._off.append(off)
        self._recorder.busy += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._recorder.busy -= 1
        self._off.pop().__exit__(kind, error, trace)
        return isinstance(error, Exception) and self._recorder.excused(error)


class Recorder:
    """The record under way. `strict` raises our own failures (for tests); `live` is off in forked workers."""

    def __init__(self, strict: bool = False) -> None:
        self.trace, self.numbers, self.strict = Trace(), Numbers(), strict
        self.live, self.busy, self.stepping, self.fetching, self.fetched = True, 0, 0, 0, 0
        self.shorthand, self.stowed = Shorthand(self.numbers), Stowed()
        self.points, self.contents, self.codes, self.generated = Points(), Contents(), Codes(), 0
        self.step: Step | None = None  # the last one, where it was looked at closely
        self.modules: list[int] = []
        self.near = self.close = True
        self.lens: Callable[[bool], bool] = lambda close: close
        self.looking = Looking(self)
        self.resting, self.later = False, 0  # whether the record is full, and the updates since then
        self._n, self._quiet, self._steps, self._backwards = 0, 0, 0, 0
        self._spent, self._began, self._stretch = 0, 0, STRETCH  # calls of torch looked at
        self._stretches, self._looked, self._seldom = 0, 0, False  # of forward passes without training
        self._due, self._until, self._built = 0, 0, 0  # the progress until which looks are not close, and are
        self._snapshots, self._rests, self.rested, self.hushed = 0, 0, False, False
        self.wrapped: set[tuple[str, int]] = set()
        self._described: dict[int, int] = {}
        self._leaves: dict[tuple[int, ...], dict[int, weakref.ref[Tensor]]] = {}

    @property
    def awake(self) -> bool:
        """Whether what happens now is the user's, in the process that we watch."""
        return self.live and not self.busy

    def next(self) -> int:
        """The next number in the record."""
        self._n += 1
        return self._n

    def emit(self, kind: type[Kind], at: site.Site | None = None, /, **facts: Any) -> Kind:
        """Write an event; by default at the user's innermost line."""
        at = site.site() if at is None else at
        made = kind(n=self.next(), site=at, update=self.trace.updates_made, close=self.close, **facts)
        self.trace.events.append(made)
        return made

    def jot(
        self, kind: type[Event], same: tuple[Any, ...], varied: Sequence[int] = (), tensors: tuple[Tensor, ...] = (),
        depth: int = 6,
    ) -> None:  # fmt: skip
        """Write an event between close looks: what it has in common with others, what varies, and its tensors.

        This is what a watched loop costs, several times a step; a failure stays ours, as inside `looking`.
        """
        n = self._n = self._n + 1
        update = self.trace.updates_made
        try:
            if self.shorthand.write(n, update, kind, same, varied, tensors, depth):
                return
        except Exception as error:
            if not self.excused(error):
                raise
            return
        with self.looking:
            told = FACTS[kind](same, varied, tuple(seen(one, self.numbers) for one in tensors))
            self.trace.events.append(kind(n=n, site=site.site(depth), update=update, close=False, **told))

    def excused(self, error: Exception) -> bool:
        """Whether a failure of ours is noted instead of raised."""
        if not self.strict:
            self.trace.note(f"something could not be looked at ({type(error).__name__}: {error})")
        return not self.strict

    def trains(self, leaves: Iterable[Tensor]) -> None:
        """These leaves receive gradients."""
        for leaf in leaves:
            self._leaves.setdefault(leaf.shape, {})[self.numbers.of(leaf)] = weakref.ref(leaf)

    def whose(self, gradient: Tensor) -> int:
        """The number of the leaf whose gradient stands in this memory; 0 for none that is known."""
        memory = self.numbers.storage(gradient)
        for number, reference in self._leaves.get(gradient.shape, {}).items():
            leaf = reference()
            held = None if leaf is None else GRAD.__get__(leaf)
            if held is not None and self.numbers.storage(held) == memory:
                return number
        return 0

    @property
    def written(self) -> int:
        """How many events are written."""
        return len(self.trace.events) + self.stowed.count + self.shorthand.count

    @property
    def full(self) -> bool:
        """Whether so much is written that no more is looked at closely."""
        return self.written >= MOST

    def updated(self) -> None:
        """An optimizer has made an update."""
        if not self._steps:  # until now progress was counted by backward passes
            self._due = 0
        self._steps += 1
        self.trace.updates_made += 1
        self._renew(self._steps)

    def built(self) -> None:
        """An optimizer or a module was built: where steps were made before, another part of the run begins."""
        if self._steps and self._built < ANEW and self._until != self._steps + AFRESH:
            self._built, self._until, self._due = self._built + 1, self._steps + AFRESH, 0

    def differentiated(self) -> None:
        """A backward pass ended; without any optimizer these are what progress is counted by."""
        self._backwards += 1
        if not self._steps:
            self._renew(self._backwards)

    def _renew(self, progress: int) -> None:
        self.numbers.sweep()
        if progress < self._due and not self.rested and not self.close:  # a quiet stretch goes on
            return
        if self.rested and self._rests < RESTS:  # what an evaluation gave is in the names by now
            self._rests += 1
            with self.looking:
                self.snapshot("rest")
        self.rested, self.hushed, self._quiet = False, False, 0
        written = self.written
        reached = max(progress, self._spent // WORTH) if progress >= LEAST else progress
        near = reached < FIRST or progress < self._until or progress % (EVERY if reached < SECOND else RARELY) < 2
        self.near, self._began = near and written < MOST, self._spent
        self._due = progress if self.near else min(progress // each * each + each for each in (EVERY, RARELY))
        self.look(self.near)
        if len(self.trace.events) >= PARCEL:
            with self.looking:
                self.stowed.put(self.trace.events)
        if written >= LAST:
            self._rest()

    def _rest(self) -> None:
        """The record is full: it ends here, as if the program did."""
        self.trace.note(f"the record was full after {self.trace.updates_made} updates: nothing later was looked at")
        self._close()
        self.live, self.resting = False, True

    def counted(self) -> bool:
        """Whether a call is looked at: of those that make a batch only the first ones are."""
        self.fetched += bool(self.fetching)
        return not self.fetching or self.fetched <= FETCHED

    def spend(self) -> None:
        """One more call of torch is looked at."""
        self._spent += 1
        if self._spent > self._began + self._stretch:
            self._began, self._stretch, self.close = self._spent, 2 * self._stretch, False
            self.hushed = self.near and not self._steps and not self._backwards  # until data are made

    def look(self, close: bool) -> None:
        """Look closely or not from now on: a look is close where every call of torch is seen."""
        on = self.lens(close)
        self.close = on and close
        if on is not close:  # a mode of the user's is in the way
            self._due = 0

    def begins(self, module: nn.Module) -> None:
        """A call of a module by the user's code: without training, the first few of a stretch are looked at closely."""
        if not module.training or not torch.is_grad_enabled():
            self._quiet += 1
            self.rested = True
            if self._quiet == 1:
                self._begins_stretch()
            most = QUIETLY if self.near else 0 if self._seldom else QUIET
            self.look(self._quiet <= most and not self.full)
            self.hushed = self.near and not self.close
        elif self.hushed:  # the evaluation is over, or the making of data
            self.hushed = False
            self.look(self.near)
        number = self.numbers.of(module)
        if self.close and self._described.get(number, -10) + 10 <= self.trace.updates_made:
            self._described[number] = self.trace.updates_made
            self.describe(module)

    def _begins_stretch(self) -> None:
        progress = self._steps or self._backwards
        self._stretches += 1
        self._seldom = self._stretches > FIRST and progress < self._looked + EVERY
        if not self._seldom:
            self._looked = progress

    def describe(self, module: nn.Module) -> None:
        """Take down what a module is made of, and what it calls its parameters."""
        kind = type(module).__name__
        for name, child in module.named_modules(remove_duplicate=False):
            number = self.numbers.of(child)
            self.trace.modules[number] = facts(child, self.numbers)
            self.trace.names.setdefault(number, f"{kind}.{name}".rstrip("."))
        for name, parameter in module.named_parameters(remove_duplicate=False):
            self.trace.names.setdefault(self.numbers.of(parameter), f"{kind}.{name}")

    def snapshot(self, when: str, names: dict[str, Any] | None = None) -> None:
        """Take down what the user's names stand for now."""
        from truestep.check.names import of_frames, of_names

        self._snapshots += 1
        if self._snapshots <= SNAPSHOTS or when == "end":
            held = of_frames(self.numbers) if names is None else of_names(names, self.numbers)
            self.emit(Names, when=when, held=held)

    def survey(self) -> None:
        """Take down what lives now: the program's names go first when it ends, and what only they held on to."""
        for number, one in self.numbers.alive():
            self.trace.living.add(number)
            if isinstance(one, nn.Module) and number not in self.trace.modules:
                self.describe(one)

    def _close(self) -> None:
        """Take down what is alive at the end of the record, and let go of it."""
        with self.looking:
            self.survey()
        self.numbers.close()

    def finish(self) -> Trace:
        """The record, at the end of the program."""
        if not self.resting:
            self._close()
        seen = sorted([*self.stowed.taken(), *self.trace.events], key=attrgetter("n"))
        self.trace.events[:] = merge(seen, self.shorthand.told(), key=attrgetter("n"))
        self.trace.finished = True
        return self.trace
