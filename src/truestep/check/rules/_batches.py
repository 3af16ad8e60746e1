"""What a model was given in training and outside of it, asked by the rules on data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from truestep.check.changes import Backward, OptimizerMade, Step
from truestep.check.events import Batch, Forward, LoaderStart, Number
from truestep.check.looks import Seen
from truestep.check.rules._bare import bare, weight
from truestep.check.rules._chains import SOUND, call_behind, reaches, root
from truestep.check.trace import Pass, Trace


def split(trace: Trace) -> tuple[list[Forward], list[Forward]]:
    """The calls of the user's models that training came from, and the others; close looks only.

    A call belongs to training when the next backward pass before another update reaches the module's parameters. One
    that is differentiated for its input alone, as an attack or a saliency map is, is neither. Of a module that is
    called in train mode and in evaluation between two updates, the calls in evaluation must have led to the pass: an
    evaluation with gradients stands between a step and the next pass too.
    """
    return trace.once(_split)


def _split(trace: Trace) -> tuple[list[Forward], list[Forward]]:
    trained: list[Forward] = []
    others: list[Forward] = []
    waiting: list[Forward] = []
    for event in sorted([*trace.of(Forward, Backward, Step), *trace.once(bare)], key=lambda event: event.n):
        if isinstance(event, Forward):
            if event.depth == 0 and event.close and parameters(trace, event):  # no loss
                (waiting if event.grad else others).append(event)
        elif isinstance(event, Backward):
            leaves = {leaf.number for leaf in event.leaves}
            if event.how == "grad" and not event.made:
                waiting = [call for call in waiting if not any(each.needs_grad for each in call.inputs)]
            in_train, roots = {call.module for call in waiting if call.training}, {root.number for root in event.roots}
            for call in waiting:
                own = leaves & parameters(trace, call)
                if own and not call.training and call.module in in_train:
                    own = reaches(trace, call.outputs, call.n)[1] & roots
                (trained if own else others).append(call)
            waiting = []
        else:
            others += waiting
            waiting = []
    return trained, sorted([*others, *waiting], key=lambda call: call.n)


def parameters(trace: Trace, call: Forward) -> set[int]:
    """The weights of what was called, a module or a function."""
    facts = trace.modules.get(call.module)
    return {weight(trace, call)} if call.module < 0 else set() if facts is None else set(facts.parameters.values())


def began(trace: Trace, before: int) -> int:
    """When the training under way at an event began: where an optimizer was last built."""
    return max((made.n for made in trace.of(OptimizerMade) if made.n < before and not made.added), default=0)


def size(seen: Seen) -> int:
    """Elements in one row."""
    return math.prod(seen.shape[1:]) if seen.shape else 1


def ends(trace: Trace, seen: Seen, after: int, most: int = 60) -> tuple[bool, bool]:
    """Whether an output meets another tensor, as a target, and the outcome is read as a number: it was scored.

    And whether it joins something with a gradient: then it took part in training.
    """
    waiting, known = [(seen, after)], {seen.number}
    numbers = trace.once(readings)
    read = joined = met = False
    for _ in range(most):
        if not waiting:
            break
        one, since = waiting.pop(0)
        read = read or any(n > since for n in numbers.get(one.number, ()))
        for op in trace.users(one, since):
            strange = [each for each in op.inputs if each.number not in known]
            joined, met = joined or any(each.needs_grad for each in strange), met or bool(strange)
            for out in op.out:
                if out.number not in known:
                    known.add(out.number)
                    waiting.append((out, op.n))
    return read and met, joined


def readings(trace: Trace) -> dict[int, list[int]]:
    """When each tensor was read as a number."""
    found: dict[int, list[int]] = {}
    for number in trace.of(Number):
        found.setdefault(number.of.number, []).append(number.n)
    return found


@dataclass(frozen=True, slots=True)
class Drawn:
    """A pass over a loader: `trains` when updates lie in it; `items` the items of the base that were handed out."""

    what: Pass
    trains: bool
    items: frozenset[int]
    last: int


def drawn(trace: Trace) -> Iterator[Drawn]:
    """Every pass over a loader with its items, as far as their indices are known."""
    passes = trace.passes()
    steps = [step.n for step in trace.of(Step)] + [event.n for event in trace.backwards()]
    starts = sorted(start.n for start in trace.of(LoaderStart))
    for one in passes:
        if not one.batches:
            continue
        last = one.batches[-1].n
        after = min((start for start in starts if start > last), default=last + 400)
        trains = any(one.start.n < n < (last if len(one.batches) > 1 else after) for n in steps)
        chosen = one.loader.chosen if one.loader is not None else None
        items: set[int] = set()
        for batch in one.batches:
            for index in batch.index or ():
                if isinstance(index, int):
                    items.add(index if chosen is None or index >= len(chosen) else chosen[index])
        yield Drawn(one, trains, frozenset(items), last)


def several(trace: Trace) -> set[int]:
    """Rows of inputs, the first tensor of a batch or what a loss goes back to, that came with more than one target.

    A copy of a sample has its target too; of the hours of a day, or of a grid, there are as many samples as were taken.
    """
    first: dict[int, int] = {}
    found: set[int] = set()
    batches = ((batch.tensors[0].rows, batch.tensors[-1].rows) for batch in trace.of(Batch) if len(batch.tensors) > 1)
    for inputs, targets in (*batches, *_compared(trace)):
        if len(inputs) == len(targets):
            found |= {row for row, told in zip(inputs, targets, strict=True) if first.setdefault(row, told) != told}
    return found


def _compared(trace: Trace) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """The rows that models were given, with the rows of targets, taken by hand, that a loss compared them with."""
    calls = {out.number: call for call in trace.of(Forward) if call.depth == 0 for out in call.outputs}
    for loss in trace.losses():
        call = call_behind(trace, loss.prediction, loss.op.n, calls) if loss.op.grad else None
        target = root(trace, loss.target, loss.op.n, SOUND)
        made = trace.maker(target, loss.op.n)
        if call is not None and call.inputs and made is not None:
            yield call.inputs[0].rows, next((out.rows for out in made.out if out.number == target.number), ())
