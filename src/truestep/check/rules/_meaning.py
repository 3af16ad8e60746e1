"""What the numbers that a program compares are made of: a loss, that falls as a model gets better, or hits, that rise.

What a number is made of is known where its making was seen closely; others that are read on the same line are alike. A
figure of the program's own is recognised by its value: the mean, the sum or the weighted mean of what was just read.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from truestep.check.events import Forward, Number, Op
from truestep.check.looks import Seen
from truestep.check.rules._metrics import equal, overlap
from truestep.check.rules._readings import SAME, near
from truestep.check.rules._scored import pairs, scores
from truestep.check.trace import LOSSES, Trace

BY_HAND = {"pow", "square", "abs"}
TURNS = {"reciprocal", "rsqrt", "__rdiv__", "__rtruediv__"}
JOINS = {"cat", "stack", "concat", "hstack"}
LONGEST = 300
SINGLY = 3e-6  # what numpy adds up in single precision
Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Line:
    """What is read on one line: "loss" or "hits", with each reading's event, update, value and rows of its batch."""

    place: Place
    kind: str
    readings: tuple[tuple[int, int, float, int], ...]
    within: float = SAME  # how near a figure of the program's must come

    def before(self, n: int) -> list[tuple[int, int, float, int]]:
        """The last readings before an event, the latest first."""
        end = bisect_left(self.readings, (n,))
        return list(reversed(self.readings[max(end - LONGEST, 0) : end]))


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of the program's: the line that it was made of, what of its last `count` readings, in which `form`.

    `rises` says whether it becomes larger as the model gets better.
    """

    line: Line
    base: str
    form: str
    count: int

    @property
    def rises(self) -> bool:
        """The form may turn round what the readings say."""
        return (self.line.kind == "hits") != (self.form in ("-x", "1 - x", "100 - 100 x"))

    @property
    def words(self) -> str:
        """What it is."""
        return {"loss": "a loss", "hits": "a share of hits"}[self.line.kind]


def lines(trace: Trace) -> list[Line]:
    """Every line on which the values of a loss, or counts of hits, become numbers."""
    found: dict[Place, list[tuple[int, int, float, int]]] = {}
    kinds: dict[Place, set[str]] = {}
    rows = 0
    for event in trace.of(Forward, Number):
        if isinstance(event, Forward):
            rows = event.inputs[0].shape[0] if event.depth == 0 and event.inputs and event.inputs[0].shape else rows
        elif event.value is not None and math.isfinite(event.value) and event.how != "__bool__":
            found.setdefault(event.site.place, []).append((event.n, event.update, event.value, rows))
            kind = made_of(trace, event) if event.close else ""
            if kind:
                kinds.setdefault(event.site.place, set()).add(kind)
    seen = [
        Line(place, kinds[place].pop(), tuple(held))
        for place, held in found.items() if len(kinds.get(place, ())) == 1
    ]  # fmt: skip
    return seen + list(_unseen(trace))


def _unseen(trace: Trace) -> Iterator[Line]:
    """What a program may have made of a model's outputs that it read as lists or arrays, with labels beside them."""
    found: dict[tuple[Place, str, bool, bool], list[tuple[int, int, float, int]]] = {}
    for pair in pairs(trace):
        for name, rises, value in scores(pair):
            held = found.setdefault((pair.site.place, name, rises, pair.several), [])
            held.append((pair.n, pair.update, value, len(pair.label)))
    for (place, _, rises, _), held in found.items():
        yield Line(place, "hits" if rises else "loss", tuple(held), SAME if rises else SINGLY)


def figure(known: Sequence[Line], values: Sequence[tuple[int, float]]) -> Figure | None:
    """What all of these values are, each as it was at an event; None where that is not known, or not certain."""
    told = [(n, value) for n, value in values if value not in (0.0, 1.0, 100.0) and math.isfinite(value)]
    if not told:
        return None
    found: list[Figure] = []
    for line in known:
        common = _forms(line, *told[0])
        for n, value in told[1:]:
            also = {key[:2] for key in _forms(line, n, value)}
            common = {key for key in common if key[:2] in also}
        found += [Figure(line, base, form, count) for base, form, count in sorted(common, key=_plainest)]
    return found[0] if len({each.rises for each in found}) == 1 else None


def _plainest(key: tuple[str, str, int]) -> tuple[int, int]:
    return (["x", "-x"].index(key[1]) if key[1] in ("x", "-x") else 2, key[2])


def _forms(line: Line, n: int, value: float) -> set[tuple[str, str, int]]:
    """In which ways a value is made of what was read on a line before an event."""
    wanted = {"x": value, "-x": -value, "1 - x": 1 - value, "100 x": value / 100, "100 - 100 x": 1 - value / 100}
    if line.kind == "loss":
        wanted = {"x": value, "-x": -value, "root": value * value if value > 0 else math.nan,
                  "exp": math.log(value) if value > 0 else math.nan}  # fmt: skip
    return {
        (base, form, count) for base, made, count in _bases(line, line.before(n))
        for form, want in wanted.items() if near(made, want, line.within)
    }  # fmt: skip


def _bases(line: Line, held: list[tuple[int, int, float, int]]) -> Iterator[tuple[str, float, int]]:
    """What a program may make of the last readings; of hits only those of one evaluation."""
    added = weighted = 0.0
    rows = 0
    for number, (_, update, value, size) in enumerate(held, 1):
        if line.kind == "hits" and update != held[0][1]:
            return
        added, weighted, rows = added + value, weighted + value * size, rows + size
        yield "mean", added / number, number
        yield "sum", added, number
        if rows:
            yield "weighted", weighted / rows, number
            yield "share", added / rows, number


def course(made: Figure) -> list[tuple[int, float]]:
    """The same figure of each evaluation of the run, by the update after which it was read, in the line's own sense."""
    by_update: dict[int, list[tuple[int, int, float, int]]] = {}
    for reading in made.line.readings:
        by_update.setdefault(reading[1], []).append(reading)
    found = []
    for update, held in by_update.items():
        if len(held) >= made.count:
            last = held[::-1][: made.count]
            values = [
                value for base, value, count in _bases(made.line, last) if base == made.base and count == len(last)
            ]
            found += [(update, value) for value in values]
    return found


def made_of(trace: Trace, number: Number) -> str:
    """Whether a number rises with hits or with a loss: it comes from a comparison of equals, or from a loss."""
    waiting: list[tuple[Seen, int, bool, bool]] = [(number.of, number.n, True, False)]
    for _ in range(40):
        if not waiting:
            break
        seen, limit, up, by_hand = waiting.pop(0)  # and whether its square or size is on the way
        op = trace.maker(seen, limit)
        if op is None:
            continue
        hits = True if equal(trace, op) else overlap(trace, op)
        if hits is not None:
            return "hits" if up == hits else "loss"
        minimised = (op.site.place, op.name) in trace.once(_minimised)
        if op.name in LOSSES or (op.name == "sub" and by_hand) or minimised:
            return "loss" if up else "hits"
        inputs = op.inputs[:1] if op.name in JOINS else op.inputs  # the others are alike
        turns = [_turned(op, place) for place, _ in enumerate(inputs)]
        if op.name in TURNS or None in turns:
            return ""
        by_hand = by_hand or op.name in BY_HAND
        waiting += [(each, op.n, up != turn, by_hand) for each, turn in zip(inputs, turns, strict=True)]
    return ""


def _minimised(trace: Trace) -> set[tuple[Place, str]]:
    """The calls that make what backward() is called on: in a function, an evaluation may make the same figure of it."""
    roots = ((root, event.n) for event in trace.backwards() if event.close and len(event.roots) == 1
             for root in event.roots)  # fmt: skip
    made = (trace.maker(root, n) for root, n in roots)
    return {(op.site.place, op.name) for op in made if op is not None}


def _turned(op: Op, place: int) -> bool | None:
    """Whether a call's output falls as this input rises; None where that was not seen."""
    plain = next((each for each in op.args if isinstance(each, int | float)), None)
    if plain is None:
        return op.name in ("neg", "__neg__") or (op.name in ("sub", "div") and place == 1)
    if op.name != "sub":
        return op.name in ("mul", "div") and plain < 0
    before, after = op.inputs[0].values, op.out[0].values
    if before is None or after is None:
        return None
    return abs(plain - before.mean - after.mean) < abs(before.mean - plain - after.mean)  # 1 - x and x - 1: one call
