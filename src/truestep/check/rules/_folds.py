"""Folds that take turns in being held out, while one and the same model learns on from fold to fold."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import combinations, pairwise
from typing import NamedTuple

from truestep.check.changes import OptimizerMade, StateLoaded, Step
from truestep.check.events import Forward
from truestep.check.rules._batches import Drawn, split
from truestep.check.rules._folds_taken import by_origin
from truestep.check.rules._part import Part
from truestep.check.rules._rows import FEW, SHARE, passes, read, scored, telling
from truestep.check.trace import Trace

LEAST, MANY, ALL, OVERLAP = 3, 8, 0.9, 0.4
"""The fewest folds, and those of which each may leave out a few samples; what each of them learns of what others hold
out; and of what it learns they learned before."""
UNLIKE = 0.9
"""Targets that are measured are seldom equal."""


class Carried(NamedTuple):
    """A held-out part that the weights in use had learned from in an earlier fold: `known` of its samples.

    `how` tells in words what shows that they went on from fold to fold.
    """

    part: Part
    known: int
    fold: int
    folds: int
    how: str = "each new optimizer found every weight that was looked at as the fold before had left it"


def carried(trace: Trace, drawn: list[Drawn]) -> Carried | None:
    """The last fold that is scored by weights that learned from it, where the folds take turns."""
    found = (_drawn(drawn), _rows(trace, scored), _aims(trace), _rows(trace, read), by_origin(trace, drawn))
    sources = [sorted(parts, key=lambda part: part.n) for parts in found]
    for made in _lives(trace):
        ends = [*(event.n for event in made), trace.events[-1].n]
        others = _others(trace, made[0])
        for parts in sources:
            own = [part for part in parts if part.of not in others]
            told = _turns([[part for part in own if a < part.n < b] for a, b in pairwise(ends)])
            if told is not None:
                return told
    for parts in sources:
        lives = _stretches(parts)
        if len(lives) >= LEAST and _whole(lives) and all(_kept(trace, a, b) for a, b in pairwise(lives)):
            told = _turns(lives)
            return told and told._replace(how="training went on each time from the weights that had been scored")
    return None


def _others(trace: Trace, made: OptimizerMade) -> set[int]:
    """The modules that hold none of an optimizer's weights."""
    weights = {number for group in made.groups for number in group["params"]}
    return {number for number, facts in trace.modules.items() if weights.isdisjoint(facts.parameters.values())}


def _lives(trace: Trace) -> Iterator[list[OptimizerMade]]:
    """Where optimizers of one line were built, each of which found its weights as the last one's were scored."""
    built: dict[object, list[OptimizerMade]] = defaultdict(list)
    for event in trace.of(OptimizerMade):
        if not event.added:
            built[event.site.place, tuple(group["params"] for group in event.groups)].append(event)
    for made in built.values():
        if len(made) >= LEAST and all(_goes_on(trace, a, b, made[0].weights) for a, b in pairwise(made)):
            yield made


def _goes_on(trace: Trace, last: OptimizerMade, made: OptimizerMade, first: int) -> bool:
    steps = [step.n for step in trace.between(last.n, made.n, Step) if step.optimizer == last.optimizer]
    if not steps or made.weights in (0, first):
        return False
    later = trace.between(made.n, trace.events[-1].n, StateLoaded, Step)
    if later and isinstance(later[0], StateLoaded) and later[0].of == "module":  # which began anew, the optimizer first
        return False
    return any(event.weights == made.weights for event in trace.between(steps[0], made.n, Forward))


def _drawn(drawn: list[Drawn]) -> list[Part]:
    loaders = ((one, one.what.loader) for one in drawn if one.items)
    return [
        Part(one.what.start.n, one.what.start.site, loader.base, one.items, one.trains)
        for one, loader in loaders if loader is not None and loader.base
    ]  # fmt: skip


def _rows(trace: Trace, asked: Callable[[Trace, Forward], bool]) -> list[Part]:
    """The rows that a model was given, in training and by calls whose outputs are `asked` for."""
    trained, others = split(trace)
    parts = [Part(call.n, call.site, call.module, frozenset(call.inputs[0].rows), True)
             for call in trained if telling(call)]  # fmt: skip
    lines: dict[tuple[object, ...], list[Forward]] = defaultdict(list)
    for call in others:
        if telling(call) and call.outputs and asked(trace, call):
            lines[call.module, call.site.place, call.update].append(call)
    for calls in passes(trace, lines.values()):
        rows = frozenset(row for call in calls for row in call.inputs[0].rows)
        parts.append(Part(calls[0].n, calls[0].site, calls[0].module, rows, False))
    return parts


def _aims(trace: Trace) -> list[Part]:
    """Told apart by measured targets, which stay as they are where each fold scales its own inputs."""
    parts = []
    for op in trace.ops("points"):
        points = op.words["points"] if op.args[3] == 1 else ()
        measured = len(points) >= FEW and all(map(math.isfinite, points)) and any(each % 1 for each in points)
        samples = frozenset(map(hash, points)) if measured else frozenset()
        if len(samples) > UNLIKE * len(points):
            parts.append(Part(op.n, op.site, 0, samples, op.grad))
    return parts


def _stretches(parts: list[Part]) -> list[list[Part]]:
    """Training and the scores behind it, cut where others are held out than before."""
    turns: list[list[Part]] = []
    for part in parts:
        if not turns or (part.learned and not turns[-1][-1].learned):
            turns.append([])
        turns[-1].append(part)
    lives: list[list[Part]] = []
    for turn in turns:
        last = lives[-1] if lives else []
        now, before = ({(part.of, each) for part in _held(one) for each in part.samples} for one in (turn, last))
        if lives and (now & before or not now or not before):
            last += turn
        else:
            lives.append(turn)
    return lives


def _whole(lives: list[list[Part]]) -> bool:
    """Whether each life learned from nearly all that any other held out."""
    learned = [_together(part for part in parts if part.learned) for parts in lives]
    return all(
        len(part.samples & own[part.of]) >= ALL * len(part.samples)
        for place, parts in enumerate(lives) for part in _held(parts)
        for other, own in enumerate(learned) if other != place
    )  # fmt: skip


def _kept(trace: Trace, last: list[Part], parts: list[Part]) -> bool:
    """Whether training went on from the weights that were scored."""
    calls = [event for event in trace.of(Forward) if event.weights]
    scored = [event for event in calls if event.n <= parts[0].n and not (event.training and event.grad)]
    after = [event for event in calls if event.n > last[-1].n and event.training and event.grad]
    return bool(scored and after) and scored[-1].weights == after[0].weights


def _held(parts: list[Part]) -> list[Part]:
    """What was scored and not learned from."""
    own = _together(part for part in parts if part.learned)
    return [part for part in parts if not part.learned and part.samples and not part.samples & own[part.of]]


def _turns(lives: list[list[Part]]) -> Carried | None:
    """Whether each life held out what it did not learn from, no two of them the same, and earlier ones had learned."""
    learned = [_together(part for part in parts if part.learned) for parts in lives]
    held = [_held(parts) for parts in lives]
    apart = [_together(iter(parts)) for parts in held]
    if not all(held) or any(a[of] & b[of] for a, b in combinations(apart, 2) for of in a):
        return None
    later = frozenset().union(*(own[held[0][-1].of] for own in learned[1:]))
    if len(held[0][-1].samples & later) < _few(held[0][-1], lives):
        return None  # what is left out stays out, as where a model is to forget
    told: list[Carried] = []
    for place in range(1, len(lives)):
        part = held[place][-1]
        earlier, own = frozenset().union(*(each[part.of] for each in learned[:place])), learned[place][part.of]
        known = len(part.samples & earlier)
        if known < max(_few(part, lives), SHARE * len(part.samples)):
            return None
        if len(own & earlier) * len(part.samples) < OVERLAP * known * len(own):
            return None  # other data each time, as tasks in turn
        told.append(Carried(part, known, place + 1, len(lives)))
    return told[-1]


def _few(part: Part, lives: list[list[Part]]) -> int:
    """So many samples tell that a part was met before; all of it, where many folds leave out a few each."""
    return min(FEW, len(part.samples)) if len(lives) >= MANY else FEW


def _together(parts: Iterator[Part]) -> defaultdict[int, frozenset[int]]:
    found: defaultdict[int, frozenset[int]] = defaultdict(frozenset)
    for part in parts:
        found[part.of] |= part.samples
    return found
