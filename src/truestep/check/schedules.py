"""Watches how schedulers are built and moved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import Any

from torch.optim import lr_scheduler

from truestep.check.changes import SchedulerMade, SchedulerStep
from truestep.check.patches import replaced
from truestep.check.recorder import Recorder

LENGTHS = {"CosineAnnealingLR": "T_max", "LinearLR": "total_iters", "PolynomialLR": "total_iters"}
"""How long the last scheduler of a sequence is, where it has an end."""


def watches(recorder: Recorder) -> Iterator[AbstractContextManager[None]]:
    """Everything that is replaced for schedules."""
    schedules = _Schedules(recorder)
    for kind in vars(lr_scheduler).values():
        if isinstance(kind, type) and issubclass(kind, lr_scheduler.LRScheduler):
            for name, around in (("__init__", schedules.made), ("step", schedules.step)):
                if name in vars(kind):
                    yield replaced(kind, name, around)


class _Schedules:
    """Schedulers as they are built and stepped; what they do to one another is not the user's."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder, self._depth = recorder, 0

    def made(self, run: Any, one: Any, *args: Any, **words: Any) -> None:
        """A scheduler is built; its own first step is part of that."""
        self._depth += 1
        try:
            run(one, *args, **words)
        finally:
            self._depth -= 1
        recorder = self._recorder
        if self._depth or not recorder.awake:
            return
        with recorder.looking:
            settings = {key: _plain(value) for key, value in vars(one).items() if not callable(value)}
            settings["counts"] = tuple(
                sorted(each for func in getattr(one, "lr_lambdas", ()) for each in _counts(func))
            )
            settings["the length of its parts"] = _together(one)
            recorder.emit(
                SchedulerMade, scheduler=recorder.numbers.of(one), kind=type(one).__name__,
                optimizer=recorder.numbers.of(one.optimizer), settings=settings,
            )  # fmt: skip

    def step(self, run: Any, one: Any, *args: Any, **words: Any) -> Any:
        """The user moves a scheduler."""
        recorder = self._recorder
        if self._depth or not recorder.awake:
            return run(one, *args, **words)
        before = _rates(one)
        self._depth += 1
        try:
            found = run(one, *args, **words)
        finally:
            self._depth -= 1
        with recorder.looking:
            given = args[0] if args else words.get("metrics")
            recorder.emit(
                SchedulerStep, scheduler=recorder.numbers.of(one), kind=type(one).__name__,
                optimizer=recorder.numbers.of(one.optimizer), metric=None if given is None else float(given),
                before=before, after=_rates(one),
            )  # fmt: skip
        return found


def _together(one: Any) -> int | None:
    """How long a sequence of schedulers is: up to its last milestone, and the last of them behind that."""
    parts, milestones = list(getattr(one, "_schedulers", ())), list(getattr(one, "_milestones", ()))
    name = LENGTHS.get(type(parts[-1]).__name__) if parts and milestones else None
    last = getattr(parts[-1], name, None) if name else None
    return milestones[-1] + last if isinstance(last, int) else None


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_plain(each) for each in value)
    if isinstance(value, Counter):  # milestones
        return tuple(sorted(value.elements()))
    return value if value is None or isinstance(value, bool | int | float | str) else type(value).__name__


def _counts(func: Any) -> Iterator[int]:
    """The whole numbers that a function of the step is made with: held by its closure, bound, or global."""
    bound: list[Any] = []
    while isinstance(func, partial):
        bound += [*func.args, *func.keywords.values()]
        func = func.func
    told, code = getattr(func, "__globals__", {}), getattr(func, "__code__", None)
    bound += [told.get(name) for name in code.co_names] if code is not None else []
    for cell in getattr(func, "__closure__", None) or ():
        with suppress(ValueError):  # nothing stands there yet
            bound.append(cell.cell_contents)
    return (each for each in bound if type(each) is int)


def _rates(scheduler: Any) -> tuple[float, ...]:
    return tuple(float(group["lr"]) for group in scheduler.optimizer.param_groups)
