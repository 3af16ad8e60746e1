"""Hits that a mask leaves, told as a share of all places."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, prod
from typing import NamedTuple

from truestep.check.events import Batch, Names, Number, Op, Printed
from truestep.check.looks import Seen
from truestep.check.rules._chains import SOUND, origin, root
from truestep.check.rules._printed import DECIMAL, FEW
from truestep.check.rules._readings import near, shown
from truestep.check.rules._totals import terms
from truestep.check.site import Site
from truestep.check.trace import Trace

COMPARED = {"lt", "le", "gt", "ge", "ne"}
GUESSES = {"argmax", "max", "topk", "round", "sort", "argsort", "multinomial"}
BOTH = {"mul", "bitwise_and", "logical_and", "__and__", "__rand__"}


class Counted(NamedTuple):
    """Hits where a mask is true, among how many places, and how many the mask leaves."""

    n: int
    hits: float
    size: int
    left: float
    site: Site


def masked(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """The lines whose hits are each time divided by all places, and never by those that the mask leaves."""
    handed = {each.number: each for batch in trace.of(Batch) for each in batch.tensors}
    lines: dict[tuple[str, int], dict[int, list[Counted | None]]] = {}
    for number in trace.of(Number):
        if number.value is not None and number.how != "__bool__":
            told = _counted(trace, number, handed) if number.close else None
            lines.setdefault(number.site.place, {}).setdefault(number.update, []).append(told)
    for evaluations in lines.values():
        whole = [[each for each in held if each is not None] for held in evaluations.values() if None not in held]
        met = [(held, _met(trace, held, whole)) for held in whole if sum(each.left for each in held)]
        wrong = [held for held, told in met if told == "all"]
        if not wrong or any(told == "left" for _, told in met) or len(wrong) < min(2, len(evaluations)):
            continue
        first = wrong[0]
        hits, size, left = _sums(first)
        yield (
            first[0].site,
            f"hits are divided by all {size} places, though a mask leaves {left:g} of them",
            f"{hits:g} hits are told as {hits / size:.6g}, and so {len(wrong)} times; among the places that the mask "
            f"leaves it is {hits / left:.6g}",
        )


def _sums(held: list[Counted]) -> tuple[float, int, float]:
    return sum(each.hits for each in held), sum(each.size for each in held), sum(each.left for each in held)


def _met(trace: Trace, held: list[Counted], whole: list[list[Counted]]) -> str:
    """Which share of the hits is told after them: of "all" places, or of those "left"."""
    last, (hits, size, left) = held[-1].n, _sums(held)
    if not 0 < left < size or hits <= 0:
        return ""
    end = min((each[0].n for each in whole if each[0].n > last), default=inf)
    prints = [each for each in trace.of(Printed) if last < each.n < end][:FEW]
    texts = tuple(text for each in prints for text in DECIMAL.findall(each.text))
    values = [
        value for names in trace.of(Names) if last < names.n < end
        for value in names.held.values() if isinstance(value, float)
    ]  # fmt: skip
    shares = {"left": (hits / left, 100 * hits / left), "all": (hits / size, 100 * hits / size)}
    told = {
        name: any(shown(each, texts, 3) or any(near(each, value) for value in values) for each in both)
        for name, both in shares.items()
    }
    return next((name for name, there in told.items() if there), "")


def _counted(trace: Trace, number: Number, handed: dict[int, Seen]) -> Counted | None:
    """What a number that was read counts, where each of its terms is a sum, or a mean, of masked hits."""
    parts = [_part(trace, seen, before, handed) for seen, before in terms(trace, number.of, number.n)] or [
        _part(trace, number.of, number.n, handed)
    ]
    known = [each for each in parts if each is not None]
    if not known or len(known) < len(parts) or len({mean for _, _, mean in known}) > 1:
        return None
    size, left = sum(each[0] for each in known), sum(each[1] for each in known)
    hits = (number.value or 0.0) * (size if known[0][2] else 1)
    return Counted(number.n, hits, size, left, number.site)


def _part(trace: Trace, seen: Seen, before: int, handed: dict[int, Seen]) -> tuple[int, float, bool] | None:
    total = origin(trace, seen, before)
    if total is None or total.name not in ("sum", "mean") or not total.inputs or total.out[0].shape:
        return None
    both = origin(trace, total.inputs[0], total.n, SOUND)
    if both is None or both.name not in BOTH or len(both.inputs) != 2 or both.inputs[0].shape != both.inputs[1].shape:
        return None
    for one, other in (both.inputs, both.inputs[::-1]):
        equal = origin(trace, one, both.n, SOUND)
        share = _share(trace, other, both.n, handed)
        if equal is not None and equal.name == "eq" and len(equal.inputs) == 2 and share is not None:
            size = prod(both.inputs[0].shape)
            return size, round(share * size), total.name == "mean"
    return None


def _share(trace: Trace, mask: Seen, before: int, handed: dict[int, Seen]) -> float | None:
    """The share of places that a mask leaves: of lengths, or of what is no filling, or one that a loader handed out.

    Masks of a class, or of what a model is sure of, choose what is counted, and all places may be meant below.
    """
    first = root(trace, mask, before, SOUND)
    made: Op | None = trace.maker(first, before)
    if made is not None and (made.name not in COMPARED or not made.out or not all(_whole(trace, made))):
        return None
    seen = made.out[0] if made is not None else handed.get(first.number)
    values = seen.values if seen is not None else None
    plain = values is not None and values.whole and values.low >= 0 and values.high <= 1
    return values.mean if plain and values is not None and prod(first.shape) == prod(mask.shape) else None


def _whole(trace: Trace, made: Op) -> Iterator[bool]:
    """Whether each side of a comparison holds whole numbers that no model guessed."""
    for each in made.inputs:
        guessed = any(op.name in GUESSES for op in trace.chain(each, made.n, 8))
        yield each.dtype.startswith(("int", "uint")) and not guessed
