"""Numbers that a program reads from its batches, and the plain floats that it makes of them.

A `Reading` is one `.item()` of a batch's loss or score with what it is: the mean over `size` things, or their sum. A
`Figure` is a float that a name of the user's stands for, with the readings before it; whoever adds up the readings
again can tell what the figure was divided by.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from truestep.check.events import Forward, LoaderStart, Names, Number, Op, Printed
from truestep.check.looks import Seen
from truestep.check.rules._scored import classes, pairs
from truestep.check.site import Site
from truestep.check.trace import LOSSES, Trace

SAME, SINGLE = 1e-9, 2.0**-24
LONGEST = 600
_PLAIN = {"detach", "data", "float", "double", "cpu", "clone", "to", "squeeze", "reshape", "view", "requires_grad_"}
DECIMAL, SHORT = (re.compile(rf"(?<![\w.])\d+\.\d{{{least},}}(?![\w.])") for least in (3, 2))
"""Numbers that a line shows, with three decimals at least or with two."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A number of one batch: `kind` is "mean", "sum" or "root" (of a mean) over `size` things; `rows` are its samples.

    `places` counts the targets with those that a loss ignores, `blank` says whether a comparison was with such targets.
    """

    n: int
    update: int
    site: Site
    value: float
    kind: str
    size: int
    rows: int
    run: int
    score: bool
    places: int = 0
    blank: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """A float of the user's at its first appearance, with the trailing readings of one line, the last one first.

    A whole number is held as one, an int: it may be a total, never a quotient. `printed` has the decimals of the line
    that was printed with it.
    """

    n: int
    name: str
    value: float
    site: Site
    readings: tuple[Reading, ...]
    printed: tuple[str, ...] = ()


Key = tuple[tuple[str, int], str, bool]


def readings(trace: Trace) -> dict[Key, list[Reading]]:
    """The numbers that are known to be a batch's mean or sum, by their line and kind."""
    return trace.once(_readings)


def _readings(trace: Trace) -> dict[Key, list[Reading]]:
    found: dict[Key, list[Reading]] = {}
    unseen: dict[tuple[str, int], list[Reading]] = {}
    rows, run, forwards = 0, 0, 0
    labels = ignored(trace)
    last: dict[Key, int] = {}
    for event in trace.of(Forward, LoaderStart, Number):
        if isinstance(event, LoaderStart):
            run = event.run
        elif isinstance(event, Forward):
            if event.depth == 0 and event.inputs and event.inputs[0].shape:
                rows, forwards = _samples(event), forwards + 1
        elif event.value is not None and math.isfinite(event.value):
            kind, size, score = kind_of(trace, event.of, event.n)
            if not kind:
                kind, size = _root_of(trace, event)
            key = (event.site.place, kind, score)
            held = found.setdefault(key, [])
            again = last.get(key) == forwards  # several numbers of one forward: classes, say
            last[key] = forwards
            if again or not size or (size < rows and kind != "sum"):  # or a part of the batch
                kind = ""
            places, blank = _targets(trace, event.of, event.n, labels) if event.close else (0, False)
            one = Reading(event.n, event.update, event.site, event.value, kind, size, rows, run, score, places, blank)
            (held if kind or event.close or again else unseen.setdefault(event.site.place, [])).append(one)
    for place, held in unseen.items():
        _infer(found, place, held)
    for pair in pairs(trace):
        guess = None if pair.several else classes(pair)
        if guess is not None:
            size, hits = guess.numel(), float((guess == pair.label).sum())
            for kind, value in (("mean", hits / size), ("sum", hits)):
                one = Reading(pair.n, pair.update, pair.site, value, kind, size, len(guess), pair.run, True)
                found.setdefault((pair.site.place, kind, True), []).append(one)
    # a line whose numbers are now known and now not (looked at too seldom) has gaps
    blank = {key[0]: {each.update for each in held} for key, held in found.items() if not key[1]}
    whole = {key: [each for each in held if each.update not in blank.get(key[0], ())] for key, held in found.items()}
    return {key: held for key, held in whole.items() if any(each.kind for each in held)}


def _samples(call: Forward) -> int:
    """The rows that a model is given, or of bags and of sequences that lie time first those that it gives."""
    shape, out = list(call.inputs[0].shape), list(call.outputs[0].shape[:1] if call.outputs else ())
    bags = any(list(each.shape[:1]) == out for each in call.inputs[1:])
    turned = len(shape) > 2 and shape[1:2] == out
    return out[0] if out and (bags or turned) else shape[0]


def _infer(found: dict[Key, list[Reading]], place: tuple[str, int], unseen: list[Reading]) -> None:
    """Numbers between close looks are what those on the same line are, where these are all of one kind."""
    keys = [key for key, held in found.items() if key[0] == place and held]
    known = found[keys[0]] if len(keys) == 1 and keys[0][1] else []
    ratios = {each.size / each.rows if each.rows and each.kind else 0.0 for each in known}
    if len(ratios) == 1 and (ratio := ratios.pop()):
        first = known[0]
        told = [replace(each, kind=first.kind, score=first.score, size=round(ratio * each.rows)) for each in unseen]
        found[keys[0]] = sorted([*known, *told], key=lambda each: each.n)
    else:
        found.setdefault((place, "", False), []).extend(unseen)


def cuts(trace: Trace) -> set[int]:
    """The lengths of tensors that were cut into batches or permuted: what a whole pass amounts to."""
    ops = trace.ops("__getitem__", "split", "chunk", "randperm", "index_select")
    return {each.shape[0] for op in ops for each in (*op.inputs, *op.out) if each.shape}


def ignored(trace: Trace) -> set[float]:
    """The labels, no classes, that a loss of the run left out of its mean."""
    return {
        float(label) for op in trace.ops(*LOSSES)
        if isinstance(label := op.words.get("ignore_index"), int) and label < 0 and len(op.inputs) > 1
        and (op.words.get("kept") or 0) < math.prod(op.inputs[1].shape)
    }  # fmt: skip


def _targets(trace: Trace, tensor: Seen, before: int, labels: set[float]) -> tuple[int, bool]:
    """How many targets a number's loss was given, and whether a comparison was with targets that it ignores."""
    for op in trace.chain(tensor, before, 8):
        if op.name in LOSSES and len(op.inputs) > 1:
            return math.prod(op.inputs[1].shape), False
        if op.name == "eq":
            lows = {each.values.low for each in op.inputs if each.values is not None}
            return math.prod(op.out[0].shape) if op.out else 0, bool(lows & labels)
    return 0, False


def _root_of(trace: Trace, number: Number) -> tuple[str, int]:
    """Whether a number is the root of a batch's mean."""
    op = trace.maker(number.of, number.n)
    if op is None or not op.inputs or not (op.name == "sqrt" or (op.name == "pow" and op.arg(1, "exponent") == 0.5)):
        return "", 0
    kind, size, score = kind_of(trace, op.inputs[0], op.n)
    return ("root", size) if kind == "mean" and not score else ("", 0)


def kind_of(trace: Trace, tensor: Seen, before: int, depth: int = 6) -> tuple[str, int, bool]:
    op = trace.maker(tensor, before)
    if op is None or depth == 0 or not op.inputs:
        return "", 0, False
    first = op.inputs[0]
    if op.name in LOSSES:
        return _of_loss(op)
    if op.name in ("mean", "sum") and not op.out[0].shape and first.shape:
        maker = trace.maker(first, op.n)
        while maker is not None and maker.name in _PLAIN and maker.inputs:
            maker = trace.maker(maker.inputs[0], maker.n)
        counted = maker is not None and maker.name in ("eq", "ne", "gt", "lt", "ge", "le")
        return op.name, math.prod(first.shape), counted
    if op.name in _PLAIN:
        return kind_of(trace, first, op.n, depth - 1)
    if op.name in ("add", "sub", "mul"):
        return _joined(trace, op, depth)
    if op.name in ("div", "__truediv__") and len(op.inputs) == 1 and isinstance(op.arg(1, "other"), int | float):
        kind, size, counted = kind_of(trace, first, op.n, depth - 1)
        return ("mean", size, counted) if kind == "sum" and op.arg(1, "other") == size else ("", 0, False)
    return "", 0, False


def _joined(trace: Trace, op: Op, depth: int) -> tuple[str, int, bool]:
    """A loss of several terms of one batch, each a mean or each a sum, or such a term with a weight.

    A mean times the number of its things is their sum; times another whole number it may be some sum too.
    """
    parts = [kind_of(trace, each, op.n, depth - 1) for each in op.inputs]
    kind, size, score = parts[0]
    if not kind or score or any(other[0] != kind or other[2] for other in parts):
        return "", 0, False
    if len(parts) == 1:
        weight = next((each for each in op.args if isinstance(each, int | float)), 0)
        if op.name == "mul" and kind == "mean" and weight == size:
            return "sum", size, False
        count = isinstance(weight, int) and abs(weight) > 1
        plain = op.name == "mul" and (kind == "mean" or abs(weight) >= 0.1) and weight and not count
        return (kind, size, False) if plain else ("", 0, False)
    if op.name == "mul":
        return "", 0, False
    makers = [trace.maker(each, op.n) for each in op.inputs]
    made = [each.n for each in makers if each is not None]
    if any(event.depth == 0 for event in trace.between(min(made), max(made), Forward)):
        return "", 0, False  # a total and what is added to it
    return kind, max(part[1] for part in parts), False


def _of_loss(op: Op) -> tuple[str, int, bool]:
    reduction = str(op.words.get("reduction", "mean"))
    weights = op.words.get("weight") is not None or op.arg(2, "weight") is not None
    if len(op.inputs) < 2 or reduction not in ("mean", "sum") or (weights and reduction == "mean"):
        return "", 0, False
    kept = op.words.get("kept")
    return reduction, math.prod(op.inputs[1].shape) if kept is None else kept, False


def figures(trace: Trace) -> Iterator[Figure]:
    """The floats that names stand for, each where it first appears, with every line's readings before it."""
    lines = readings(trace)
    if not lines:
        return
    known: dict[str, float] = {}
    printed: Printed | None = None
    raw = {reading.value for held in lines.values() for reading in held}
    for event in trace.of(Names, Printed):
        if isinstance(event, Printed):
            printed = event
            continue
        told = tuple(DECIMAL.findall(printed.text)) if printed and printed.n == event.n - 1 else ()
        for name, value in floats(event):
            if known.get(name) == value or not math.isfinite(value) or value == 0 or value in raw:
                continue
            known[name] = value
            for held in lines.values():
                before = [each for each in held if each.n < event.n][-LONGEST:]
                if before and event.update - before[-1].update <= 1:
                    yield Figure(event.n, name, value, event.site, tuple(reversed(before)), told)


def floats(event: Names) -> Iterator[tuple[str, float]]:
    """The numbers that names stand for, and the last ones of lists."""
    for name, value in event.held.items():
        if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and value > 1):
            yield name, value
        elif isinstance(value, tuple) and value and value[0] == "list" and value[2]:
            last = value[2][-1]
            if isinstance(last, float) and value[1] <= 64:
                yield f"{name}[-1]", last


def near(a: float, b: float, within: float = SAME) -> bool:
    """Whether two numbers are the same but for rounding, of one of them to single precision too."""
    size = max(abs(a), abs(b))
    if math.isinf(size):
        return a == b
    if abs(a - b) <= within * size:
        return True
    return abs(a - b) <= SINGLE * size and (a == _single(b) or b == _single(a))


def _single(value: float) -> float:
    """The nearest number of single precision; infinity for what is too large."""
    return float(torch.tensor(value, dtype=torch.float32))


def shown(value: float, texts: tuple[str, ...], least: int = 4) -> bool:
    """Whether one of the printed decimals is this number, rounded, with at least four digits that say something."""
    for text in texts:
        places = len(text.partition(".")[2])
        digits = len(text.replace(".", "").lstrip("0"))
        if digits >= least and abs(float(text) - value) <= 0.5001 * 10.0**-places:
            return True
    return False
