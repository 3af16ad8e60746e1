"""Watches optimizers as they are built and as they step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from truestep.check.changes import Moved, OptimizerMade, Step
from truestep.check.looks import GRAD, LARGEST, digest
from truestep.check.recorder import Recorder
from truestep.check.shorthand import bits
from truestep.check.weights import mark


class Steps:
    """Optimizers as they are built and as they step."""

    def __init__(self, recorder: Recorder, stop: Callable[[], None]) -> None:
        self._recorder, self._stop = recorder, stop
        self._making = 0
        self._under_way: list[tuple[Optimizer, int, list[tuple[Tensor, Tensor]], tuple[float, ...], Any]] = []

    def made(self, run: Any, one: Optimizer, *args: Any, **words: Any) -> None:
        """An optimizer is built."""
        self._making += 1
        try:
            run(one, *args, **words)
        finally:
            self._making -= 1
        self._told(one, one.param_groups, added=False)

    def given(self, run: Any, one: Optimizer, *args: Any, **words: Any) -> None:
        """An optimizer is given one more group."""
        run(one, *args, **words)
        if not self._making:
            self._told(one, one.param_groups[-1:], added=True)

    def _told(self, one: Optimizer, groups: list[dict[str, Any]], added: bool) -> None:
        recorder = self._recorder
        if not recorder.awake or self._making:
            return
        with recorder.looking:
            told = tuple(
                {key: _setting(value) for key, value in group.items() if key != "params"}
                | {"params": tuple(recorder.numbers.of(p) for p in group["params"])}
                for group in groups
            )
            if not added:
                recorder.built()
            recorder.emit(
                OptimizerMade, optimizer=recorder.numbers.of(one), kind=type(one).__name__, groups=told, added=added,
                weights=mark(p for group in groups for p in group["params"]),
            )  # fmt: skip

    def before(self, one: Optimizer, args: Any, words: Any) -> None:
        """A step begins."""
        recorder = self._recorder
        if recorder.busy or not recorder.live:
            return
        recorder.stepping += 1
        held: list[tuple[Tensor, Tensor]] = []
        rates: Any = [group.get("lr", math.nan) for group in one.param_groups]
        if recorder.close or not {float}.issuperset(map(type, rates)):
            with recorder.looking:
                rates = [float(rate) for rate in rates]
                parameters = [p for group in one.param_groups for p in group["params"]] if recorder.close else []
                if sum(p.numel() for p in parameters) <= LARGEST:
                    held = [(p, p.detach().clone()) for p in parameters]
        closure = bool(args and callable(args[-1])) or words.get("closure") is not None
        self._under_way.append((one, recorder.next(), held, tuple(rates), closure))

    def after(self, one: Optimizer, args: Any, words: Any) -> None:
        """A step has returned."""
        recorder, under_way = self._recorder, self._under_way
        if recorder.resting:
            recorder.later += 1
            self._stop()
        if recorder.busy or not recorder.live:
            return
        place = 0
        while place < len(under_way) and under_way[place][0] is not one:
            place += 1
        if place == len(under_way):
            return
        recorder.stepping -= len(under_way) - place  # those above it were left by an exception
        _, began, held, rates, closure = under_way[place]
        del under_way[place:]
        nested = bool(under_way)
        number, kind = recorder.numbers.of(one), type(one).__name__
        if recorder.close:
            with recorder.looking:
                moved = tuple(_moved(recorder, p, old) for p, old in held)
                recorder.step = recorder.emit(
                    Step, optimizer=number, kind=kind, rates=rates, moved=moved, began=began, closure=closure,
                    nested=nested,
                )  # fmt: skip
        else:
            recorder.step = None
            recorder.jot(Step, (number, kind, closure, nested), (began, *map(bits, rates)))
        held.clear()
        if not nested:
            recorder.updated()
            self._stop()


def _moved(recorder: Recorder, p: Tensor, old: Tensor) -> Moved:
    before, after = digest(old), digest(p)
    if before == after and before is not None:
        change = 0.0
    elif p.is_complex():
        change = math.nan
    else:
        change = float(torch.linalg.vector_norm(p.detach().double() - old))
    return Moved(recorder.numbers.of(p), digest(GRAD.__get__(p)), before, after, change, p.requires_grad)


def _setting(value: Any) -> Any:
    if isinstance(value, Tensor):
        return float(value) if value.numel() == 1 else None
    return value if isinstance(value, bool | int | float | str | tuple | None) else type(value).__name__
