"""Draws of torch's that come back, equal to the bit, in update after update of one model."""

from __future__ import annotations

import math
from collections.abc import Iterator

from truestep.check.changes import Step
from truestep.check.events import Op, Seeded
from truestep.check.rules._batches import split
from truestep.check.rules._rounds import fetched
from truestep.check.site import Site
from truestep.check.trace import Trace

DRAWS = ("randperm", "randint", "rand", "randn", "rand_like", "randn_like", "randint_like", "normal", "bernoulli",
         "multinomial")  # fmt: skip
OFTEN, SURE = 4, 100.0


def moved(trace: Trace) -> dict[int, int]:
    """The optimizer of each update: draws are compared within the training of one model."""
    return {step.update: step.optimizer for step in trace.of(Step)}


def repeated(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """Draws that come back in other updates of the same optimizer: the line, who draws, and what tells it."""
    movers = moved(trace)
    trained, _ = split(trace)
    busy = {call.update for call in trained}
    fed = {each.number for call in trained for each in call.inputs}
    lines: dict[tuple[tuple[str, int], int], list[Op]] = {}
    for op in trace.ops(*DRAWS):
        shown = op.name != "multinomial" or "generator" in op.words  # what is sure is drawn again without a cause
        if op.out and op.out[0].rows and op.update in busy and op.grad and not op.within and shown:
            lines.setdefault((op.site.place, movers.get(op.update, 0)), []).append(op)
    for ops in lines.values():
        if _by_item(trace, ops):
            continue
        values: dict[tuple[object, ...], list[Op]] = {}
        for op in ops:
            values.setdefault((op.out[0].shape, op.out[0].rows), []).append(op)
        again = max((each for each in values.values() if not _by_chance(each, ops)), key=_updates, default=[])
        least = OFTEN - (ops[0].name == "randperm" and bool(again) and _bits(again[0]) > SURE)
        all_same = sum(_updates(each) for each in values.values() if _updates(each) >= least)
        often = len({op.update for op in ops}) >= 0.8 * len(busy) or _feeds(trace, ops[-1], fed) or fetched(trace, ops)
        if _updates(again) >= least and all_same >= 0.6 * len({op.update for op in ops}) and often:
            before = [event for event in trace.of(Seeded) if event.n < ops[-1].n]
            seeded = before[-1] if before and before[-1].update > 1 else None
            yield (
                seeded.site if seeded else ops[-1].site, ops[0].name,
                f"in {len(ops)} draws at line {ops[0].site.line} there were {len(values)} different ones; one of them "
                f"came in {_updates(again)} updates, equal to the bit",
            )  # fmt: skip
            return


def _updates(ops: list[Op]) -> int:
    return len({op.update for op in ops})


def _by_chance(equal: list[Op], drawn: list[Op]) -> bool:
    """Whether so many equal ones may come up by chance among the draws of that shape."""
    times, bits = _updates(equal), _bits(equal[0])
    alike = sum(op.out[0].shape == equal[0].out[0].shape for op in drawn)
    told = bits * (times - 1) - math.log2(math.comb(max(alike, times), times))
    return told < 40 or (bits < 20 and times < 0.6 * len(drawn))


def _by_item(trace: Trace, ops: list[Op]) -> bool:
    """Whether a line draws many times for one update and never the same, with what is seeded for each: one an item."""
    updates: dict[int, list[object]] = {}
    for op in ops:
        updates.setdefault(op.update, []).append((op.out[0].shape, op.out[0].rows))
    several = [each for each in updates.values() if len(each) > 1]
    seeds = {event.value for event in trace.of(Seeded) if ops[0].n < event.n < ops[-1].n and event.who == "torch"}
    own = "generator" in ops[0].words or len(seeds) > 1
    return own and 2 * len(several) > len(updates) and all(len(set(each)) == len(each) for each in several)


def _feeds(trace: Trace, draw: Op, fed: set[int], most: int = 100) -> bool:
    """Whether a draw reaches the input of a call that training came from."""
    waiting, known = [(draw.out[0], draw.n)], {draw.out[0].number}
    while waiting and len(known) < most:
        one, since = waiting.pop(0)
        if one.number in fed:
            return True
        for op in trace.users(one, since)[:20]:
            new = [(out, op.n) for out in op.out if out.number not in known]
            known |= {out.number for out, _ in new}
            waiting += new
    return False


def _bits(op: Op) -> float:
    """How much chance is in one draw, in bits: two that are equal without a cause are one in 2 ** bits."""
    elements = math.prod(op.out[0].shape)
    if op.name == "randperm":
        return math.lgamma(elements + 1) / math.log(2)
    if op.name == "randint":
        ends = [each for each in op.args[:2] if isinstance(each, int)]
        return elements * math.log2(max(ends[-1] - (ends[0] if len(ends) > 1 else 0), 1)) if ends else 0.0
    if op.name == "multinomial":
        return 2.0 * elements
    return 0.0 if op.name in ("randint_like", "bernoulli") else 20.0 * elements
