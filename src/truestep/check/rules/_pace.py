"""How far each update carried the weights, and what the loss did: what rules of rates ask alike."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from truestep.check.changes import Backward, Moved, OptimizerMade, Step
from truestep.check.events import Forward
from truestep.check.rules._hand import lines
from truestep.check.trace import Trace, Update

LARGE = 0.2
"""An update that changes the weights by more of their norm than this."""
GROWN = 0.3
MANY = 4
LEAP, BLOWN, SIZE = 0.5, 4.0, 0.015
"""The change of one of the first updates, the growth of the norm, and the root mean square of weights at the start."""
FIRST_FEW = 10
FAR = 5.0


class Stride(NamedTuple):
    """One update seen closely: the loss before it, the norm of the weights, and the change and the gradient over it."""

    update: Update
    loss: float
    norm: float
    ratio: float
    steep: float


class Pace(NamedTuple):
    """All updates seen closely of one optimizer (None: by hand), with its kind and where its loss is differentiated.

    `opposed`: it takes turns with another one, and the passes of one go through the weights of the other, as those of a
    generator do through its critic: the loss of neither need fall.
    """

    made: OptimizerMade | None
    kind: str
    strides: tuple[Stride, ...]
    passes: tuple[Backward, ...]
    rows: float
    opposed: bool = False

    @property
    def losses(self) -> list[float]:
        return [stride.loss for stride in self.strides]


def paces(trace: Trace) -> list[Pace]:
    """The updates of each optimizer; those by hand only with the losses and the weights' norms."""
    made = {event.optimizer: event for event in reversed(trace.of(OptimizerMade)) if not event.added}
    strides: dict[int, list[Stride]] = defaultdict(list)
    kinds: dict[int, str] = {}
    for update in trace.updates():
        step = update.step
        if step is None or step.nested or step.closure or not step.moved or not update.backwards:
            continue
        kinds[step.optimizer] = step.kind
        strides[step.optimizer].append(_stride(update, step))
    rows = _rows(trace)
    found = [
        Pace(
            made.get(number),
            kinds[number],
            tuple(told),
            tuple(_passes(each.update)[0] for each in told),
            rows,
            _opposed(strides, number),
        )
        for number, told in strides.items()
    ]
    return found if trace.of(Step) else _by_hand(trace, rows)


def _opposed(strides: dict[int, list[Stride]], number: int) -> bool:
    """Whether two optimizers take turns, and passes of one alone go through what only the other one moves."""
    mine = strides[number]
    for other, told in strides.items():
        turns = mine[0].update.at.n < told[-1].update.at.n and told[0].update.at.n < mine[-1].update.at.n
        if other != number and turns and (_through(mine, told) or _through(told, mine)):
            return True
    return False


def _through(one: list[Stride], other: list[Stride]) -> bool:
    moved, passes = {each.number for stride in one for each in _moved(stride)}, {each.n for each in _all_passes(one)}
    if moved & {each.number for stride in other for each in _moved(stride)}:
        return False
    reached = (leaf.number for each in _all_passes(other) if each.n not in passes for leaf in each.leaves)
    return any(leaf in moved for leaf in reached)


def _all_passes(strides: list[Stride]) -> list[Backward]:
    return [each for stride in strides for each in stride.update.backwards]


def _moved(stride: Stride) -> Sequence[Moved]:
    return () if stride.update.step is None else stride.update.step.moved


def _rows(trace: Trace) -> float:
    """How many samples the model is trained on at once, in the median; many where that was not seen."""
    given = [event.inputs[0].shape for event in trace.of(Forward) if event.grad and not event.depth and event.inputs]
    return median([shape[0] for shape in given if shape] or [MANY])


def _passes(update: Update) -> list[Backward]:
    """The passes that the gradients of an update are of: not those of torch.autograd.grad inside a loss."""
    return [each for each in update.backwards if each.how == "backward"] or list(update.backwards)


def _stride(update: Update, step: Step) -> Stride:
    weights = math.sqrt(sum(one.before.norm**2 for one in step.moved if one.before is not None))
    change = math.sqrt(sum(one.change**2 for one in step.moved))
    slope = math.sqrt(sum(one.grad.norm**2 for one in step.moved if one.grad is not None))
    loss = sum(_value(each) for each in _passes(update))
    over = weights or math.nan
    return Stride(update, loss, weights, change / over, slope / over)


def _by_hand(trace: Trace, rows: float) -> list[Pace]:
    """Without any optimizer: every pass at one line, its ratio the growth of the weights since the pass before it."""
    found = []
    for passes in lines(trace):
        told, before = [], 0.0
        for event in passes:
            norm = math.sqrt(sum(leaf.weight.norm**2 for leaf in event.leaves if leaf.weight is not None))
            growth = abs(norm - before) / before if before else 0.0
            told.append(Stride(Update(event, None, (), (event,)), _value(event), norm, growth, math.nan))
            before = norm
        found.append(Pace(None, "by hand", tuple(told), tuple(passes), rows))
    return found


def _value(event: Backward) -> float:
    """What was differentiated; not a number where the program gave the gradient, a minus one say."""
    known = not event.seeded
    return sum(root.values.mean if root.values is not None and known else math.nan for root in event.roots)


def thrown(pace: Pace, spike: float = 2.0, large: float = LARGE, times: int = 3) -> str:
    """Evidence that updates throw the weights about; empty where there is none."""
    strides = pace.strides
    if len(strides) < 5 or _searching(pace):
        return ""
    first = strides[0].loss
    if not math.isfinite(first) or first <= 0:
        return ""
    grown = GROWN * median(one.norm for one in strides[:20])  # weights that began at zero change by much at first
    pairs = [(one, after.loss) for one, after in pairwise(strides) if not one.norm < grown]
    wild = [(one, after) for one, after in pairs if one.ratio > large and after > spike * first]
    if (
        len(wild) >= times and pace.rows >= MANY and not _settled(pace, first) and not _calmed(pace, first)
    ):  # single samples differ too much to tell a jump
        ratios = sorted(one.ratio for one, _ in wild if math.isfinite(one.ratio)) or [math.inf]
        worst = max((after for _, after in wild if math.isfinite(after)), default=math.inf)
        span = f"{_percent(ratios[0])} to {_percent(ratios[-1])}" if len(ratios) > 1 else _percent(ratios[0])
        return (
            f"{len(wild)} update{'s' * (len(wild) > 1)} changed the weights by {span} of their norm, and the loss, "
            f"{first:.4g} at first, then stood at up to {worst:.4g}"
        )
    return _stuck(pace, first) or _scattered(pace, first) or _diverged(pace, first)


def blown(pace: Pace) -> str:
    """Weights of a common size that the first few updates blew up at once; empty where they did not."""
    strides = pace.strides[: 2 * FIRST_FEW]
    norms = [stride.norm for stride in strides]
    if len(strides) < FIRST_FEW or not norms[0] or _size(strides[0]) < SIZE or pace.rows < MANY:
        return ""
    ratios = [stride.ratio for stride in strides[:FIRST_FEW] if stride.ratio > LARGE]
    if len(ratios) < 3 or strides[0].ratio < 2 * LEAP or not max(norms) > 2 * BLOWN * norms[0]:
        return ""
    return (
        f"{len(ratios)} of the first {FIRST_FEW} updates changed the weights by {_percent(min(ratios))} to "
        f"{_percent(max(ratios))} of their norm, which went from {norms[0]:.4g} to {max(norms):.4g}"
    )


def _settled(pace: Pace, first: float) -> bool:
    """Whether the loss is small at the end: by hand only the norms tell a change, and small batches differ by much."""
    return pace.made is None and median(pace.losses[-(len(pace.strides) // 3) :]) < 0.1 * first


def _calmed(pace: Pace, first: float) -> bool:
    """Whether the last third is calm and clearly better, and no loss before it stood far above the first."""
    last = pace.strides[-(len(pace.strides) // 3) :]
    calm = median(one.loss for one in last) < 0.8 * first and not any(one.ratio > LARGE for one in last)
    return calm and max(pace.losses) < FAR * first


def _stuck(pace: Pace, first: float) -> str:
    strides = pace.strides
    if len(strides) < 20 or pace.made is None or pace.opposed:
        return ""
    ratio = median(stride.ratio for stride in strides[5:])
    late = median(stride.loss for stride in strides[-(len(strides) // 3) :])
    if ratio > LARGE / 2 and late > 0.95 * first:
        return (
            f"in the median an update changes the weights by {_percent(ratio)} of their norm, and the loss went from "
            f"{first:.4g} to {late:.4g} in {len(strides)} updates"
        )
    return ""


def _scattered(pace: Pace, first: float) -> str:
    """Weights of a common size that a few updates blew up, and a loss that is no better for it ever after."""
    strides, losses = pace.strides, pace.losses
    norms = [stride.norm for stride in strides if math.isfinite(stride.norm)]
    late = median(losses[-(len(losses) // 3) :])
    leap = max(strides[:FIRST_FEW], key=lambda stride: 0.0 if math.isnan(stride.ratio) else stride.ratio)
    if len(strides) < 2 * FIRST_FEW or min(losses) <= 0 or pace.rows < MANY or pace.opposed:
        return ""
    if not norms or not norms[0] or _size(strides[0]) < SIZE:
        return ""
    if not (leap.ratio > LEAP and max(norms) > BLOWN * norms[0] and (late > 0.95 * first or not math.isfinite(late))):
        return ""
    if pace.made is None and _leaves(strides[0]) != _leaves(strides[-1]):  # other tensors each time
        return ""
    return (
        f"an update among the first {FIRST_FEW} changed the weights by {_percent(leap.ratio)} of their norm, this grew "
        f"{max(norms) / norms[0]:.3g} times, and the loss went from {first:.4g} to {late:.4g} in {len(strides)} updates"
    )


def _leaves(stride: Stride) -> set[int]:
    return {leaf.number for each in stride.update.backwards for leaf in each.leaves}


def _size(stride: Stride) -> float:
    """The root mean square of the weights that were differentiated: that of zeros tells nothing of a later growth."""
    step = stride.update.step
    mine = None if step is None else {one.number for one in step.moved}
    leaves = [leaf for each in stride.update.backwards for leaf in each.leaves if mine is None or leaf.number in mine]
    seen = {leaf.number: leaf for leaf in leaves if leaf.weight is not None}
    count = sum(math.prod(leaf.shape) for leaf in seen.values())
    return math.hypot(*(leaf.weight.norm for leaf in seen.values() if leaf.weight is not None)) / math.sqrt(count or 1)


def _diverged(pace: Pace, first: float) -> str:
    """A loss that grew a hundred times or overflowed while the weights grew many times, step upon step."""
    losses = pace.losses
    worst = next((place for place, loss in enumerate(losses) if not loss <= 100 * first), None)
    if worst is None or pace.made is not None:
        return ""
    norms = [stride.norm for stride in pace.strides]
    grown = max((norm for norm in norms if math.isfinite(norm)), default=0.0) / norms[0] if norms[0] else 0.0
    if grown < 5 or not all(loss > 2 * first or not math.isfinite(loss) for loss in losses[worst:]):
        return ""
    return (
        f"the loss went from {first:.4g} to {losses[worst]:.4g} in {worst} updates and stayed above, while the norm of "
        f"the weights grew {grown:.3g} times"
    )


def _searching(pace: Pace) -> bool:
    """Whether the rate is raised more and more on purpose, to find where the loss breaks."""
    rates = [stride.update.step.rates[0] for stride in pace.strides if stride.update.step is not None]
    rising = sum(after > before for before, after in pairwise(rates))
    return len(rates) > 1 and rates[0] > 0 and max(rates) > 10 * rates[0] and rising > 0.6 * len(rates)


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.3g} %"
