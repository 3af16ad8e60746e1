"""Data sets whose `__len__` divides what they store, though items take it row by row: a part is never met."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from truestep.check.rules._batches import Drawn, drawn
from truestep.check.rules._offsets import FEW, LEAST, Taken, stored, touched
from truestep.check.rules._source import tree_of
from truestep.check.site import Site
from truestep.check.trace import Trace

SHARE = 0.1
"""Of what is stored so much at least is left out."""


def halved(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """The data sets of which all items were met, in whose stored rows more items would find theirs."""
    bases: dict[int, list[Drawn]] = {}
    for one in drawn(trace):
        if one.what.loader is not None and one.what.loader.base and one.items:
            bases.setdefault(one.what.loader.base, []).append(one)
    for passes in bases.values():
        items = frozenset[int]().union(*(each.items for each in passes))
        if len(items) < LEAST or items != frozenset(range(len(items))):
            continue
        made = passes[0].what.loader
        told = [_left(trace, one, len(items)) for one in passes[:4]]
        first = next((each for each in told if each is not None), None)
        if first is not None and made is not None and None not in [each for each in told if each is not None]:
            taken, step, left = first
            sized = _sized(taken.op.site)
            if left > max(FEW, SHARE * len(items)) and sized:
                yield (
                    taken.op.site, f"{left} more items of a data set would find their rows, and are in no batch",
                    f"`{sized}` is what __len__ returns: {len(items)}; but item after item lies {step} row"
                    f"{'s' * (step > 1)} further on, the last one ends at row {taken.last} of {taken.whole}, and "
                    "nothing takes the others",
                )  # fmt: skip


def _left(trace: Trace, one: Drawn, count: int) -> tuple[Taken, int, int] | None:
    """Of what a pass took the last rows, the rows from one item to the next, and how many more items there would be."""
    chosen = one.what.loader.chosen if one.what.loader is not None else None
    drawn_ = [index for batch in one.what.batches for index in batch.index or () if isinstance(index, int)]
    items = drawn_ if chosen is None else [chosen[each] for each in drawn_ if each < len(chosen)]
    found: list[tuple[Taken, int, int]] = []
    for held in stored(trace, one.what.start.n, one.last).values():
        per, rest = divmod(len(held), max(len(items), 1))
        if rest or not per or len(set(items)) < LEAST or len(items) != len(drawn_):
            return None
        spans = {item: held[place * per : (place + 1) * per] for place, item in enumerate(items)}
        low, high = min(spans), max(spans)
        unit = held[0].last - held[0].first if held[0].op.name == "from_numpy" else 1
        step, odd = divmod(spans[high][0].first - spans[low][0].first, high - low)
        offsets = {
            tuple((each.first - item * step, each.last - item * step) for each in own) for item, own in spans.items()
        }
        if odd or step < 1 or len(offsets) != 1:
            return None
        ahead = max(last for _, last in next(iter(offsets)))
        end = (count - 1) * step + ahead
        if touched(trace, held, end):
            return None
        last = Taken(0, end // unit, held[0].whole // unit, held[0].op)
        found.append((last, max(step // unit, 1), (held[0].whole - end) // step))
    lefts = {left for _, _, left in found}
    return found[0] if len(lefts) == 1 else None


def _sized(site: Site) -> str:
    """What `__len__` returns in the class around a line, where it divides; empty where it does not."""
    tree = tree_of(site.file)
    kinds = [] if tree is None else [each for each in ast.walk(tree) if isinstance(each, ast.ClassDef)]
    around = [each for each in kinds if each.lineno <= site.line <= (each.end_lineno or 0)]
    for method in around[-1].body if around else ():
        if isinstance(method, ast.FunctionDef) and method.name == "__len__":
            for node in ast.walk(method):
                divides = isinstance(node, ast.Return) and node.value is not None and any(
                    isinstance(each, ast.BinOp) and isinstance(each.op, ast.FloorDiv) for each in ast.walk(node.value)
                )  # fmt: skip
                if divides and isinstance(node, ast.Return) and node.value is not None:
                    return ast.unparse(node.value)
    return ""
