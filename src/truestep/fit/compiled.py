"""Which way the steps of a run are taken: as ever, or as programs where they are repaid; measured, not guessed.

Steps as programs end on the bits of the steps as ever, so that it does not matter when they take over. Compiled steps
round otherwise. They are taken only where somebody said so, and where they were asked for at once, no decision hangs on
a clock: the run then ends on the same bits each time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

from torch import Tensor

from truestep.core.batch import Batch
from truestep.core.compiled import Compiled
from truestep.core.effort import effort
from truestep.core.errors import TraceError
from truestep.core.nesting import flat
from truestep.core.outcome import StepOut
from truestep.core.pooling import Pooled
from truestep.core.rows import Rows
from truestep.core.step import TrainStep
from truestep.core.streak import Streak
from truestep.core.traced import Traced
from truestep.core.trial import shape_of
from truestep.data.batches import Source, TensorSource
from truestep.fit import shapes
from truestep.fit.ahead import AT_ONCE, Ahead, Call
from truestep.fit.libraries import Libraries
from truestep.fit.shapes import Shape
from truestep.fit.streaks import in_a_row
from truestep.fit.worth import Worth

if TYPE_CHECKING:
    from truestep.fit.loop import Loop

TRIES, BUILDS = 10, 3
"""Steps on which it is tried to learn a shape, since on one that is skipped nothing can be compared, and RAdam's first
five go otherwise; and how often it is compiled, where somebody goes on changing the model."""
SHAPES = 32
"""Shapes of windows that are looked at; there is no end to those of sequences as long as they come."""
TIMES, SMALL = 10, 1e-4
"""Steps a call of a model whose arithmetic takes less than so many seconds a step; above, the batches of several, which
are gathered at once, would leave the cache, and cost more than calls."""
PAYS = 0.98
"""The share of the time as ever below which a program goes on being used."""
UNCOMPILED = "the steps are programs that are not compiled:"
TAKE_OVER = "steps are compiled, which round their last digits otherwise; compile='exact' keeps the bits."
SAVED_RUNS = "a run with checkpoints ends on the same bits wherever it was interrupted, which these would not."


class Tiers:
    """Takes the steps of a run, in the way that has been measured to be the quickest.

    Args:
        step: whose steps they are; this becomes its `quick`.
        compile: "auto": programs where they are repaid, and compiled ones, built by another process while the run goes
            on; "exact": programs alone; True: compiled at once, waiting for it.
        steps: how many steps the run is going to take, 0 where nobody can say.
        several: whether several whole batches could be taken a call.
        say: hears why a step that was asked to be compiled is not.
        exact: never compile, since compiled steps round otherwise: where a run ends must not depend on when it was
            interrupted.
    """

    def __init__(
        self, step: TrainStep, compile: Any, steps: int, several: bool, say: Callable[[str], None], exact: bool = False
    ) -> None:
        self.step, self.traced = step, Traced(step)
        self._at_once, self._rounds = compile is True, compile != "exact" and not exact
        self._steps, self._say = steps, say
        self._may_take_several = several
        self._shapes: dict[Any, Shape] = {}
        self._taken = 0
        self.several: Compiled | None = None
        self._times: Shape | None = None
        self._ahead: Ahead | None = None
        self._libraries = Libraries(self._at_once, lambda why: say(f"{UNCOMPILED} {why}"))
        step.quick = self

    def refresh(self) -> None:
        """Look anew at what others could have changed meanwhile."""
        if self.traced.refresh():
            self.close()
            self.several = None
            for shape in self._shapes.values():
                shape.times.clear()
                shape.open, shape.whole, shape.again = True, None, inf

    def close(self) -> None:
        """Build no library any more."""
        self._libraries.close()

    def take(self, micros: Sequence[Batch], before: Sequence[Tensor]) -> StepOut:
        """One step; see `TrainStep.window`."""
        key = shape_of(micros)
        shape = self._shapes.get(key) or self._shapes.setdefault(key, Shape(open=len(self._shapes) < SHAPES))
        self._taken += 1
        shape.count += 1
        known = self.traced.knows(key)
        began = time.perf_counter()
        if known:
            rows = None if shape.whole is None else shape.whole.take([flat(list(micros))[0]])
            out = self.traced.take(micros, before, key) if rows is None else rows.out(0)
            if shape.open and shape.add(time.perf_counter() - began):
                self._judge(key, shape)
            if self._taken >= shape.again:
                self._consider(key, shape, micros)
            if self._libraries.busy:
                self._libraries.look()
            return out
        begun = bool(shape.times or shape.eager)
        if shape.open and begun and (self._at_once or (shape.eager and shape.repaid(self._steps_of(shape)[1]))):
            return self._learn(micros, key, shape)
        out = self._eagerly(micros, shape)
        if shape.open and shape.add(time.perf_counter() - began):
            shape.eager = shape.typical()
        return out

    def _eagerly(self, micros: Sequence[Batch], shape: Shape) -> StepOut:
        """A step as ever; one of a shape that takes long is looked at, since little is to be saved but of pooling."""
        if shape.pooled is not None or not shape.long():
            return self.step.eagerly(micros)
        with Pooled() as pooled:
            out = self.step.eagerly(micros)
        shape.pooled = pooled.entries
        return out

    @property
    def steady(self) -> bool:
        """Whether batches of some shape are taken in a row."""
        return any(map(self._steady, self._shapes))

    def streak(self, batch: Batch) -> Streak | None:
        """What takes batches like this one in a row, where nothing is left to find out about them."""
        key = shape_of([batch])
        return self.traced.streak(key) if self._steady(key) else None

    def _steady(self, key: Any) -> bool:
        shape = self._shapes.get(key)
        settled = shape is not None and not shape.open and shape.whole is None and self._taken < shape.again
        return self._may_take_several and settled and self.traced.in_a_row(key)

    def rest(
        self, source: Source, epoch: int, start: int, add: Callable[[Rows], None], looked: bool = False
    ) -> Iterator[Batch]:
        """The batches of an epoch from number `start` on, without those that were taken in a row, of which `add` hears.

        `looked` says that somebody wants to see them soon.
        """
        assert isinstance(source, TensorSource)  # or there would be nothing that takes several
        if self.several is None:
            start = yield from in_a_row(self, source, epoch, start, looked, lambda rows: self._took(rows, add))
            if self.several is None:
                return
        if self._ahead is None or self._ahead.source is not source:
            self._ahead = Ahead(source, TIMES)
        most = 1 if looked or self._times is not None else AT_ONCE
        for each in self._ahead.blocks(epoch, start, most):
            if isinstance(each, list):
                yield from self._called(self._ahead, each, add)
            else:
                yield each

    def _called(self, ahead: Ahead, calls: list[Call], add: Callable[[Rows], None]) -> Iterator[Batch]:
        """The batches of some calls that have to be taken one by one."""
        began = time.perf_counter()
        rows = None if self.several is None else self.several.take(calls)
        if rows is not None:
            if self._times is not None and self._times.add((time.perf_counter() - began) / rows.times):
                self._judge_several()
            self._took(rows, add)
        elif len(calls) > 1:
            for call in calls:
                yield from self._called(ahead, [call], add)
        else:
            yield from ahead.batches(calls[0])

    def _took(self, rows: Rows, add: Callable[[Rows], None]) -> None:
        self._taken += rows.times
        self.step.taken += rows.times
        add(rows)
        if self._libraries.busy:
            self._libraries.look()

    def _steps_of(self, shape: Shape) -> tuple[float, float]:
        """Steps of a shape that were taken, and those to come, if it goes on coming as often as it did."""
        left = max(self._steps - self._taken, 0) if self._steps else self._taken
        share = shape.count / sum(one.count for one in self._shapes.values())
        return share * self._taken, share * left

    def _learn(self, micros: Sequence[Batch], key: Any, shape: Shape) -> StepOut:
        out, why = self.traced.learn(micros, key)
        shape.times.clear()
        shape.tries += 1
        shape.open = not why and (self.traced.knows(key) or shape.tries < TRIES)
        if why and self._at_once:
            self._say(f"the steps are taken without a program of their own: {why}")
        return out

    def _judge(self, key: Any, shape: Shape) -> None:
        """Give up what has not paid, unless it was asked for at once; else look whether the next way would."""
        each, shape.open = shape.typical(), False
        if shape.whole is not None:
            if each > PAYS * shape.traced:
                shape.whole = None
        elif shape.eager and each > PAYS * shape.eager and not self._at_once:
            self.traced.forget(key)
        else:
            shape.traced, shape.again = each, self._taken

    def _judge_several(self) -> None:
        assert self._times is not None
        if self._times.typical() > PAYS * self._times.traced:
            self.several = None
        self._times = None

    def _consider(self, key: Any, shape: Shape, micros: Sequence[Batch]) -> None:
        """Compile the steps of a shape where they were asked to be, or where that is repaid."""
        shape.again = inf
        if not self._rounds or self.several is not None or shape.wanted == BUILDS:
            if self._at_once and not self._rounds:
                self._say(f"{UNCOMPILED} {SAVED_RUNS}")
            return
        if self._libraries.busy:
            shape.again = self._taken + shapes.SEEN
            return
        window = self.traced.window(key)
        small = self._may_take_several and len(micros) == 1 and effort(window.forward) < SMALL
        times = TIMES if small else 1
        own = Worth(shape.traced, times, len(window.forward.graph.nodes) + len(window.update.graph.nodes))
        if not self._at_once and not own.opened(self._steps_of(shape)[1]):
            if not self._steps:
                shape.again = 2 * self._taken  # where nobody knows how long it is, as long again as it was
            return
        shape.wanted += 1
        try:
            compiled = Compiled(self.step, window, self.traced.tensors, micros, times)
            steps, ready = partial(self._steps_of, shape), partial(self._take_over, shape)
            self._libraries.want(compiled, own, steps, ready)
        except TraceError as error:
            self._say(f"{UNCOMPILED} {error}")

    def _take_over(self, shape: Shape, ready: Compiled) -> None:
        """Compiled steps take over; unless they were asked for at once, they are measured next."""
        if ready.times == 1:
            shape.whole, shape.open = ready, not self._at_once
        else:
            self.several = ready
            self._times = None if self._at_once else Shape(traced=shape.traced)
        if not self._at_once:
            self._say(f"from step {self._taken + 1} on {TAKE_OVER}")


def tiers(loop: Loop, steps: int) -> Tiers:
    """Who takes the steps of a run; several a call only where nobody wants to save between two of them."""
    step, source, plan, exact = loop.step, loop.batches, loop.plan, loop.saver.asked is not None
    whole = step.micro_batch is None and plan.accumulate == 1 and step.ranks.size == 1 and not exact
    resident = isinstance(source, TensorSource) and source.home == step.device
    steady = not step.schedule.between_steps  # else each step has a rate of its own
    return Tiers(step, loop.compile, steps, whole and resident and steady, loop.say, exact)
