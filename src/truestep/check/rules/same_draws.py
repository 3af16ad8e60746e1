"""Random draws that should differ are the same, in every epoch, at every call, or in every worker.

What: the seed is set again at each epoch; a generator is built from a fixed seed at each call, or for each pass by a
stream or a sampler; the epoch is never told to a DistributedSampler; a data set's own generator is copied into every
worker; or the noise of a denoising model is drawn once, before the loop. Two views of each sample, or the members of an
ensemble, are drawn alike.

Why: the same order, the same noise and the same masks come back, so augmentation adds nothing, and what looks random is
a fixed part of the data that can be learned by heart.

Evidence: draws at one line that are equal to the bit in different updates of one model; passes of a shuffling loader,
or shuffles of one list or array, in one and the same order; arrays equal to the bit, or of different items, beside a
generator in one state, or one that comes back to the state of the time before; a generator that the data set draws with
while several workers hold a copy of it; or a draw from before the first update that is added to the data in update
after update. Two tensors of each batch, equal to the bit, that one model is trained on, from a loader or drawn by the
program itself; models with optimizers of their own and equal weights whose answers are put together.

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

from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise

from truestep.check.events import Batch, Forward, LoaderMade, Op, Seeded, Shuffled
from truestep.check.finding import Finding, Rule
from truestep.check.looks import Seen
from truestep.check.rules import found
from truestep.check.rules._batches import drawn
from truestep.check.rules._renewed import generated
from truestep.check.rules._repeated import moved, repeated
from truestep.check.rules._rounds import rounds, seeded
from truestep.check.rules._twin_calls import twin_calls
from truestep.check.rules._twins import twin_members, twin_views
from truestep.check.trace import Trace

RULE = Rule("TS476", "same_draws", "random draws that repeat themselves", "error", "data")
WHY = "what looks random is a fixed part of the data, and can be learned by heart"
OFTEN = 4


def look(trace: Trace) -> Iterator[Finding]:
    """The ways in which draws come back."""
    proofs = (_orders(trace), _repeats(trace), _shuffles(trace), _generated(trace), _rounds(trace))
    told = next((each for each in (next(proof, None) for proof in proofs) if each is not None), None)
    if told:
        yield told
    yield from _copied(trace)
    yield from _kept(trace)
    views = next((told for told in (*twin_views(trace), *twin_calls(trace))), None)
    for site, message, evidence in (views,) if views is not None else ():
        yield found(
            RULE, site, message, evidence, "what two views have in common is to be learned, and these have everything",
            "draw for each view anew: one generator, made once and kept",
        )  # fmt: skip
    for site, message, evidence in twin_members(trace):
        yield found(
            RULE, site, message, evidence, "an ensemble of equals is one model: no better, and never unsure",
            "seed once before all members, or each with a seed of its own",
        )  # fmt: skip


def _repeats(trace: Trace) -> Iterator[Finding]:
    """Draws that come back in other updates of the same optimizer."""
    for site, name, evidence in repeated(trace):
        yield found(
            RULE, site, f"{name} draws the same numbers again and again", evidence, WHY,
            "set a seed, or build a generator, once and before the loop",
        )  # fmt: skip


def _orders(trace: Trace) -> Iterator[Finding]:
    """A loader that shuffles and hands out one order again and again, to one optimizer."""
    movers = moved(trace)
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


def _shuffles(trace: Trace) -> Iterator[Finding]:
    """Lists and arrays that are shuffled into one and the same order, before each epoch of one training."""
    movers = moved(trace)
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
