"""Batches cut from an order that begin one row after the last one, where the next batch was meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from truestep.check.events import Op
from truestep.check.picks import PICKS, Places
from truestep.check.site import Site
from truestep.check.trace import Trace

LEAST, OFTEN, MOSTLY = 4, 5, 0.7
"""The fewest rows of a batch, how often one follows another by one row, and in which share; a new pass begins anew."""


def crawling(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """The lines that take rows by number, each time all but the first of the rows before, and one more."""
    taken: dict[tuple[int, tuple[str, int]], list[tuple[Op, Sequence[int]]]] = {}
    for op in trace.ops(*PICKS):
        where = op.words.get("places")
        if isinstance(where, Places) and where.held is not None and where.size >= LEAST and op.inputs:
            taken.setdefault((op.inputs[0].number, op.site.place), []).append((op, where.held))
    told: set[Site] = set()
    for picks in taken.values():
        near = [(one, two) for (first, one), (then, two) in pairwise(picks) if 0 <= then.update - first.update <= 1]
        steps = sum(one[1:] == two[:-1] for one, two in near)
        again = {tuple(held) for _, held in picks}
        odd = any(_counts(held) or len(set(held)) < len(held) for _, held in picks)
        if odd or steps < max(OFTEN, MOSTLY * len(near)):
            continue
        op, held = picks[0]
        whole = op.inputs[0].shape[0]
        made = trace.maker(op.inputs[1], op.n) if len(op.inputs) > 1 else None
        site = op.site if made is None else made.site
        if site not in told:
            told.add(site)
            rows = {row for _, each in picks for row in each}
            yield (
                site, f"each batch holds {len(held) - 1} of the {len(held)} rows of the last",
                f"{steps} of {len(near)} batches begin one row after the one before, in an order of rows that is not "
                f"their own; {len(again)} different ones reach {len(rows)} of {whole} rows",
            )  # fmt: skip


def stalled(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """Lines that cut a tensor into as many slices as fit into it, of which each begins one row after the last.

    Windows of a series overlap so too, but there are as many of them as the series is long.
    """
    cuts: dict[tuple[int, tuple[str, int]], list[tuple[int, int, Op]]] = {}
    for op in trace.ops("__getitem__"):
        index = op.args[1] if len(op.args) > 1 else None
        if isinstance(index, slice) and isinstance(index.start, int) and isinstance(index.stop, int) and op.inputs:
            cuts.setdefault((op.inputs[0].number, op.site.place), []).append((index.start, index.stop, op))
    told: set[tuple[str, int]] = set()
    for (_, place), taken in cuts.items():
        whole, width = (taken[0][2].inputs[0].shape or (0,))[0], taken[0][1] - taken[0][0]
        count = whole // max(width, 1)
        if place in told or width < LEAST or count < OFTEN or 2 * (count + width) >= whole:
            continue
        if all(last - first == width for first, last, _ in taken) and _from_0_again(taken, count):
            told.add(place)
            yield (
                taken[0][2].site, f"each batch holds {width - 1} of the {width} rows of the last",
                f"slices of {width} begin one row after the other, and after {count}, as many as fit into {whole} rows "
                f"side by side, at row 0 again: they reach {count + width - 1} rows",
            )  # fmt: skip


def _from_0_again(taken: Sequence[tuple[int, int, Op]], count: int) -> bool:
    """Whether slices begin at 0, 1, ... count - 1 and at 0 again, by the number of updates or, where these are not
    counted, one after the other.
    """
    (began, _, op), (_, _, last) = taken[0], taken[-1]
    if last.update > op.update:
        since = op.update - began
        in_step = since >= 0 and all(first == (op.update - since) % count for first, _, op in taken)
        return in_step and last.update - since >= count and len({first for first, _, _ in taken}) >= OFTEN
    steps = [(after - first) % count for (first, _, _), (after, _, _) in pairwise(taken)]
    return began == 0 and len(taken) > count and set(steps) == {1} and max(first for first, _, _ in taken) == count - 1


def _counts(held: Sequence[int]) -> bool:
    """Whether the numbers go up or down by one step: windows of a series are meant to overlap."""
    return len({later - each for each, later in pairwise(held)}) == 1
