"""Random draws that should differ are the same, in every epoch, at every call, or in every worker.

What: the seed is set again at each epoch; a generator is built from a fixed seed at each call, or for each pass by a
stream or a sampler; the epoch is never told to a DistributedSampler; a data set's own generator is copied into every
worker; or the noise of a denoising model is drawn once, before the loop.

Why: the same order, the same noise and the same masks come back, so augmentation adds nothing, and what looks random is
a fixed part of the data that can be learned by heart.

Evidence: draws at one line that are equal to the bit in different updates of one model; passes of a shuffling loader,
or shuffles of one list or array, in one and the same order; arrays equal to the bit, or of different items, beside a
generator in one state, or one that comes back to the state of the time before; a generator that the data set draws with
while several workers hold a copy of it; or a draw from before the first update that is added to the data in update
after update.

False alarms: several models that start from one seed are compared on purpose, fixed noise to look at a generator's
pictures takes part in no training, data made up item by item or task by task have a generator of their own for each,
and an order of features is the same for all. None of them is a finding.

Mend: set the seed once, at the start; make a generator once and keep it; seed each worker's generator in
`worker_init_fn` with `torch.initial_seed()`; draw noise inside the loop.

Wrong:
    for epoch in range(epochs):
        torch.manual_seed(0)
        for x, y in loader: ...

Right:
    torch.manual_seed(0)
    for epoch in range(epochs):
        for x, y in loader: ...
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise

from truestep.check.changes import Step
from truestep.check.events import Batch, Forward, LoaderMade, Op, Seeded, Shuffled
from truestep.check.finding import Finding, Rule
from truestep.check.looks import Seen
from truestep.check.rules import found
from truestep.check.rules._batches import drawn, split
from truestep.check.rules._renewed import generated
from truestep.check.rules._rounds import fetched, rounds, seeded
from truestep.check.trace import Trace

RULE = Rule("TS476", "same_draws", "random draws that repeat themselves", "error", "data")
DRAWS = ("randperm", "randint", "rand", "randn", "rand_like", "randn_like", "randint_like", "normal", "bernoulli",
         "multinomial")  # fmt: skip
WHY = "what looks random is a fixed part of the data, and can be learned by heart"
OFTEN, SURE = 4, 100.0


def look(trace: Trace) -> Iterator[Finding]:
    """The ways in which draws come back."""
    proofs = (_orders(trace), _repeats(trace), _shuffles(trace), _generated(trace), _rounds(trace))
    told = next((each for each in (next(proof, None) for proof in proofs) if each is not None), None)
    if told:
        yield told
    yield from _copied(trace)
    yield from _kept(trace)


def _moved(trace: Trace) -> dict[int, int]:
    """The optimizer of each update: draws are compared within the training of one model."""
    return {step.update: step.optimizer for step in trace.of(Step)}


def _orders(trace: Trace) -> Iterator[Finding]:
    """A loader that shuffles and hands out one order again and again, to one optimizer."""
    movers = _moved(trace)
    orders: dict[tuple[int, int], list[tuple[object, int]]] = {}
    for one in drawn(trace):
        made = one.what.loader
        if one.trains and one.what.whole and made is not None and made.sampler == "RandomSampler":
            order = tuple(batch.index for batch in one.what.batches)
            mover = movers.get(one.what.batches[-1].update, 0)
            if made.size and made.size > 8 and None not in order:
                orders.setdefault((made.dataset or made.base, mover), []).append((order, one.what.start.n))
    for passes in orders.values():
        same = [n for order, n in passes if order == passes[-1][0]]
        if len(same) >= max(3, 0.6 * len(passes)):
            seeds = [event for event in trace.of(Seeded) if event.n < same[-1] and event.n > same[0]]
            start = next(each.what.start for each in drawn(trace) if each.what.start.n == same[1])
            yield found(
                RULE, seeds[-1].site if seeds else start.site, "each epoch shuffles into the same order",
                f"{len(same)} of {len(passes)} passes of a shuffling loader came in one order; "
                f"{len(seeds)} times a seed was set between them",
                WHY, "set the seed once, before the loop",
            )  # fmt: skip


def _repeats(trace: Trace) -> Iterator[Finding]:
    """Draws at one line that come back in other updates of the same optimizer."""
    movers = _moved(trace)
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
            yield found(
                RULE, seeded.site if seeded else ops[-1].site, f"{ops[0].name} draws the same numbers again and again",
                f"in {len(ops)} draws at line {ops[0].site.line} there were {len(values)} different ones; one of them "
                f"came in {_updates(again)} updates, equal to the bit",
                WHY, "set a seed, or build a generator, once and before the loop",
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


def _shuffles(trace: Trace) -> Iterator[Finding]:
    """Lists and arrays that are shuffled into one and the same order, before each epoch of one training."""
    movers = _moved(trace)
    calls = [event for event in trace.of(Forward) if event.depth == 0]
    places = [event.n for event in calls]
    lines: dict[tuple[tuple[str, int], int], list[Shuffled]] = {}
    for event in trace.of(Shuffled):
        at = bisect_right(places, event.n)
        if event.size >= 8 and at < len(calls) and calls[at].grad and calls[at].training:
            lines.setdefault((event.site.place, movers.get(event.update, 0)), []).append(event)
    for (_, mover), events in lines.items():
        orders: dict[int, list[Shuffled]] = {}
        for event in events:
            orders.setdefault(event.order, []).append(event)
        again = max(orders.values(), key=lambda each: len({event.update for event in each}))
        updates = {event.update for event in again}
        if (
            (mover or not movers)
            and len(updates) >= 3
            and len(updates) >= 0.6 * len({event.update for event in events})
        ):
            seeds = [each for each in trace.of(Seeded) if again[0].n < each.n < again[-1].n]
            yield found(
                RULE, seeds[0].site if seeds else again[0].site, "each epoch shuffles into the same order",
                f"{len(updates)} of {len(events)} shuffles of {again[0].size} items in line {again[0].site.line} gave "
                f"one order, with training between them; {len(seeds)} times a seed was set between them",
                WHY, "set the seed once, before the loop",
            )  # fmt: skip
            return


def _generated(trace: Trace) -> Iterator[Finding]:
    """Arrays that come out equal to the bit, or of items that differ, beside a generator in one state each time."""
    for site, name, evidence, level in generated(trace):
        yield found(
            RULE, site, f"{name} draws the same numbers at each call", evidence, WHY,
            "build the generator once and keep it", level=level,
        )  # fmt: skip


def _rounds(trace: Trace) -> Iterator[Finding]:
    """Passes of a sampler or a stream that draws, and inputs behind a seed set again, which are all the same."""
    for site, evidence in (*rounds(trace), *seeded(trace)):
        yield found(
            RULE, site, "what is drawn for one epoch is drawn for each", evidence, WHY,
            "set seeds once, before the loop, or make them of the epoch (sampler.set_epoch(epoch))", level="warning",
        )  # fmt: skip


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


def _copied(trace: Trace) -> Iterator[Finding]:
    """A data set that draws with a generator of its own, in several workers that nobody seeds."""
    handed = {batch.loader for batch in trace.of(Batch)}
    for made in trace.of(LoaderMade):
        if made.generators and made.workers >= 2 and not made.seeded and made.loader in handed:
            yield found(
                RULE, made.site, f"{made.workers} workers draw with copies of one generator",
                f"the data set draws with its own {', '.join(made.generators)}; {made.workers} workers, begun anew at "
                f"each pass, copy it in the same state, and no worker_init_fn reaches it. "
                f"{_equal(trace, made)}".strip(),
                WHY, "seed it in worker_init_fn from torch.initial_seed(), through get_worker_info().dataset, or draw "
                "with torch's own random numbers",
                level="warning",
            )  # fmt: skip
            return


def _equal(trace: Trace, made: LoaderMade) -> str:
    """How many tensors of neighbouring batches are equal to the bit although their items differ."""
    batches = [batch for batch in trace.of(Batch) if batch.loader == made.loader and batch.index]
    same = sum(
        one.run == other.run and one.index != other.index
        and any(a.rows and a.rows == b.rows and len(set(a.rows)) > 1
                for a, b in zip(one.tensors, other.tensors, strict=False))
        for one, other in pairwise(batches)
    )  # fmt: skip
    return f"{same} pairs of neighbouring batches hold a tensor equal to the bit" if same else ""


def _kept(trace: Trace) -> Iterator[Finding]:
    """Noise from before the first update that is added to the data again and again, with the data as the target."""
    old = {op.out[0].storage: op for op in trace.ops("randn", "randn_like", "rand_like", "normal", "rand")
           if op.update == 0 and op.out}  # fmt: skip
    targets: dict[int, set[int]] = {}
    for loss in trace.losses():
        if loss.prediction.needs_grad:
            targets.setdefault(loss.op.update, set()).update(_source(trace, loss.target, loss.op.n))
    sums: dict[tuple[str, int], list[tuple[Op, Op]]] = {}
    for op in trace.ops("add", "sub"):
        if op.update == 0 or len(op.inputs) < 2 or not op.grad or op.within:
            continue
        for data, noise in (op.inputs[:2], op.inputs[1::-1]):
            behind = _source(trace, noise, op.n) & set(old)
            clean = _source(trace, data, op.n)
            if behind and not data.needs_grad and clean & targets.get(op.update, set()) and not clean & behind:
                sums.setdefault(op.site.place, []).append((op, old[behind.pop()]))
    for pairs in sums.values():
        updates = {op.update for op, _ in pairs}
        if len(updates) >= 2 * OFTEN:
            draw = pairs[0][1]
            yield found(
                RULE, draw.site, "the noise is drawn once, before the loop",
                f"the {draw.name} of line {draw.site.line} was added to the data in {len(updates)} updates, and the "
                "data without it were the target",
                WHY, "draw the noise inside the loop", level="warning",
            )  # fmt: skip


def _source(trace: Trace, tensor: Seen, before: int) -> set[int]:
    """The memory that a tensor was indexed, scaled or viewed from, back to its start."""
    found = {tensor.storage}
    limit = before
    for _ in range(12):
        op = trace.maker(tensor, limit)
        if op is None or not op.inputs or op.name not in ("__getitem__", "index_select", "mul", "to", "view", "reshape",
                                                          "unsqueeze", "squeeze", "float", "clone"):  # fmt: skip
            break
        tensor, limit = op.inputs[0], op.n
        found.add(tensor.storage)
    return found
