"""Inputs and labels are shuffled independently, so no input has its own label any more.

What: two permutations index the inputs and the labels; or two loaders that both shuffle are zipped; or lists or arrays
of samples and of their labels are each shuffled for themselves, or only one of them is.

Why: what is learned is the labels' frequency; everything else is noise.

Evidence: the permutations behind a loss's prediction and behind its target, each of all rows, are two; the indices of
the batches that met in one loss differ; the labels became a tensor in their old order; or inputs and targets of
training are independent (the statistic HSIC against a hundred random orders), though those of evaluation are not; or
they are so after two arrays were shuffled one after the other, which is advice where other lines stand between.

False alarms: mixed batches (mixup) shuffle a second view on purpose, on top of a shared order, and unpaired data meet
in no loss. Samples that each pass moves and turns may look unrelated to their labels; the loss on new ones, which
falls below that of guessing, says that they are not. Episodes that number their classes anew hang together within each
batch. Actions drawn from what the model said hang together with its inputs by their making. None of these is a
finding. Labels that alone were drawn or put in another order may be noise on purpose: of them there is advice.

Mend: one permutation for both, one data set of pairs, or a shuffled list of pairs.

Wrong:
    x = x[torch.randperm(n)]
    y = y[torch.randperm(n)]

Right:
    order = torch.randperm(n)
    x, y = x[order], y[order]
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from torch import Tensor

from truestep.check.events import Batch, Forward, LoaderStart, Op, Seeded, Shuffled
from truestep.check.finding import Finding, Rule
from truestep.check.looks import Seen
from truestep.check.mode import DRAWS
from truestep.check.points import COMPARED
from truestep.check.rules import _masks as masks
from truestep.check.rules import found
from truestep.check.rules._batches import split
from truestep.check.rules._chains import call_behind, compared, source_of
from truestep.check.rules._facing import facing
from truestep.check.rules._learned import learned
from truestep.check.rules._listed import alone, twice
from truestep.check.rules._orders import orders
from truestep.check.rules._ties import ORDERS, Tie, key, points, tie
from truestep.check.trace import Trace

RULE = Rule("TS472", "shuffled_apart", "inputs and labels are shuffled apart", "error", "data")
MOST = 40
SURE, NONE, TIED = 8.0, 3.5, 0.2
FEW, ONES = 40, 10
LOGS = {"log_softmax", "log"}
NEAR = 2
"""Lines from one shuffle to the other where they are of one thought."""
AT_ONCE = re.compile(r"\w\[\s*[\w.]*permutation\(")
"""An array that is put in a new order where this is drawn."""
CALLS = re.compile(r"\b(permutation|shuffle)\(")
Pair = tuple[Tensor, Tensor]
WHY = "no input has its own label any more; only the labels' frequencies can be learned"
MEND = "one permutation for both, or one set of pairs"


def look(trace: Trace) -> Iterator[Finding]:
    """Look behind the prediction and the target of each loss, and at lists."""
    calls = {out.number: event for event in trace.of(Forward) if event.depth == 0 for out in event.outputs}
    batches = {tensor.number: batch for batch in trace.of(Batch) for tensor in batch.tensors}
    looked: Counter[tuple[str, int]] = Counter()
    for op, guess, target in _losses(trace):
        looked[op.site.place] += 1
        if looked[op.site.place] > MOST or not guess.needs_grad or not op.grad:
            continue
        made = source_of(trace, guess, op.n, calls)
        told = made and (_permuted(trace, *made, op, target) or _zipped(trace, *made, op, target, batches))
        if told:
            yield told
            return
    apart = (*_lists(trace), *_facing(trace, batches), *_masked(trace))
    yield from apart[:1] or _untied(trace, calls)


def _masked(trace: Trace) -> Iterator[Finding]:
    """Pictures and masks that are augmented by two draws."""
    for site, message, evidence in masks.apart(trace):
        yield found(RULE, site, message, evidence, WHY, "one draw for both: turn and cut the pair together", "warning")


def _losses(trace: Trace) -> Iterator[tuple[Op, Seen, Seen]]:
    """What is compared in training: by torch's losses, and in differences that are squared or made absolute."""
    yield from ((loss.op, loss.prediction, loss.target) for loss in trace.losses())
    for op in trace.ops("sub"):
        if len(op.inputs) == 2 and op.grad and op.inputs[0].needs_grad != op.inputs[1].needs_grad:
            one, other = op.inputs
            if compared(trace, op):
                yield op, *((one, other) if one.needs_grad else (other, one))
    yield from _by_hand(trace)


def _by_hand(trace: Trace) -> Iterator[tuple[Op, Seen, Seen]]:
    """Cross-entropy by hand: logarithms of probabilities times targets that are shares of classes."""
    for op in trace.ops("mul"):
        if len(op.inputs) == 2 and op.grad and op.inputs[0].shape == op.inputs[1].shape:
            logs, shares = sorted(op.inputs, key=lambda each: not each.needs_grad)
            made = trace.maker(logs, op.n) if logs.needs_grad and not shares.needs_grad else None
            if made is not None and made.name in LOGS:
                yield op, logs, shares


def _permuted(trace: Trace, source: Seen, n: int, op: Op, target: Seen) -> Finding | None:
    first, second = orders(trace, source, n), orders(trace, target, op.n)
    alone = [made for number, made in first.items() if number not in second]
    other = [made for number, made in second.items() if number not in first]
    if not alone or not other or alone[0].out[0].shape[:1] != other[0].out[0].shape[:1]:
        return None
    rows = alone[0].out[0].shape[0]
    return found(
        RULE, other[0].site, "inputs and targets are put in two different orders",
        f"the inputs of this loss were indexed by a permutation of {rows} in line {alone[0].site.line}, its targets by "
        f"another one in line {other[0].site.line}",
        WHY, MEND,
    )  # fmt: skip


def _zipped(trace: Trace, source: Seen, n: int, op: Op, target: Seen, batches: dict[int, Batch]) -> Finding | None:
    one, other = batches.get(source.number), batches.get(target.number)
    if one is None or other is None or one.loader == other.loader or one.index is None or other.index is None:
        return None
    if one.index == other.index or len(one.index) != len(other.index) or not n - 400 < one.n:
        return None
    start = next((start for start in trace.of(LoaderStart) if start.run == other.run), None)
    return found(
        RULE, start.site if start else op.site, "two loaders that are read together shuffle each on its own",
        f"the inputs of one loss were the items {_few(one.index)}, its targets the items {_few(other.index)}",
        WHY, MEND,
    )  # fmt: skip


def _facing(trace: Trace, batches: dict[int, Batch]) -> Iterator[Finding]:
    """A table of scores whose diagonal is to be found, with rows and columns of two loaders that shuffle apart."""
    for site, one, other in facing(trace, batches):
        yield found(
            RULE, site, "two loaders whose items are to match one for one shuffle each on its own",
            f"the rows of a table of scores were the items {_few(one)}, its columns the items {_few(other)}, and the "
            "targets are its diagonal",
            WHY, MEND,
        )  # fmt: skip
        return


def _untied(trace: Trace, calls: dict[int, Forward]) -> Iterator[Finding]:
    """Targets that have nothing to do with the inputs in training, though in evaluation they have much."""
    taken = points(trace)
    trained = {call.n for call in split(trace)[0]}
    pairs: dict[tuple[int, bool], dict[tuple[str, int], list[Pair]]] = {}
    costs: dict[tuple[str, int], list[tuple[Op, Forward, Tensor]]] = {}
    for op in trace.ops(*COMPARED):
        for one, other in (op.inputs[:2], op.inputs[1::-1]) if len(op.inputs) > 1 else ():
            told = _paired(trace, one, other, op, calls, taken)
            if told is not None:
                call, pair = told
                costs.setdefault(op.site.place, []).append((op, call, pair[1]))
                pairs.setdefault((call.module, call.n in trained), {}).setdefault(op.site.place, []).append(pair)
    for module, _ in [which for which in pairs if which[1]]:
        scored = [each for each in map(tie, pairs.get((module, False), {}).values()) if each is not None]
        best = max(scored, key=lambda each: each.above, default=None)
        if best is None or best.above < SURE or best.rows < FEW:
            continue
        ties = {place: tie(each) for place, each in pairs[module, True].items()}
        lost = [each for each in ties.values() if each is not None and _lost(each, best)]
        if not lost or len(lost) < len(ties):
            continue
        within = [tie([one]) for each in pairs[module, True].values() for one in each[:ONES]]
        calls_apart = [each for each in within if each is not None]
        expected = sum(best.above * each.rows / best.rows for each in calls_apart)
        apart = sum(each.above for each in calls_apart) < max(len(calls_apart), TIED * expected)
        if apart and not any(learned(costs[place]) for place in ties):
            op = costs[next(iter(ties))][-1][0]
            yield found(
                RULE, op.site, "the targets have nothing to do with the inputs in training, and in evaluation they do",
                f"over {best.rows} evaluated rows inputs and targets hang together {best.above:.0f} deviations above "
                f"chance (HSIC over {ORDERS} orders), over {lost[0].rows} rows of training {lost[0].above:.1f}",
                WHY, MEND, level="advice" if _on_purpose(trace, op) else "warning",
            )  # fmt: skip
            return
    told = [each for which, lines in pairs.items() if which[1] for each in lines.values()]
    yield from _arrays(trace, told) if told else _arrays(trace, [_said(trace, taken)], "predictions")


def _said(trace: Trace, taken: dict[tuple[int, int], Tensor]) -> list[Pair]:
    """Predictions in training with their targets, for models that are no modules: nobody sees what they are given."""
    both = [(taken.get(key(each.prediction)), taken.get(key(each.target))) for each in trace.losses() if each.op.grad]
    held = [(one, other) for one, other in both if one is not None and other is not None]
    return [(one, other) for one, other in held if len(one) == len(other) and other.shape[1] == 1]


def _arrays(trace: Trace, pairs: list[list[Pair]], told: str = "inputs") -> Iterator[Finding]:
    """Two arrays of as many rows, shuffled one after the other, and training pairs that are as good as unrelated."""
    one, other, near = next(_each_its_own(trace), (None, None, False))
    ties = [each for each in map(tie, filter(None, pairs)) if each is not None] if one and other else []
    if one and other and ties and not any(each.above >= NONE or each.rows < 5 * FEW for each in ties):
        yield found(
            RULE, other.site, f"two arrays of {one.size} rows are shuffled, each into an order of its own",
            f"the other one in line {one.site.line}, and over {ties[0].rows} rows of training {told} and targets "
            f"hang together {ties[0].above:.1f} deviations above chance (HSIC over {ORDERS} orders)",
            WHY, MEND, level="warning" if near else "advice",
        )  # fmt: skip


def _each_its_own(trace: Trace) -> Iterator[tuple[Shuffled, Shuffled, bool]]:
    """Two arrays of as many rows, shuffled one after the other before training, and whether in neighbouring lines."""
    seeds = [event.n for event in trace.of(Seeded)]
    before = [event for event in trace.of(Shuffled) if event.update == 0 and not event.beside]
    for one, other in pairwise(before):
        seeded = any(one.n < n < other.n for n in seeds)  # into one order, then
        apart = abs(one.site.line - other.site.line)
        beside = 0 < apart <= NEAR or (not apart and len(CALLS.findall(one.site.text)) > 1)
        near = one.site[::2] == other.site[::2] and beside
        orders = one.ordinal and other.ordinal  # of numbers: what they put in order is not told, but where they stand
        used = not orders or (near and all(AT_ONCE.search(each.site.text) for each in (one, other)))
        if one.size == other.size >= 5 * FEW and used and not seeded:
            yield one, other, near


def _on_purpose(trace: Trace, op: Op) -> bool:
    """Whether labels alone were drawn or put in another order: perhaps to see how noise is learned by heart."""
    target = next((each for each in op.inputs[:2] if not each.needs_grad), op.inputs[0])
    drawn = any(made.name in DRAWS for made in trace.chain(target, op.n))
    return drawn or bool(orders(trace, target, op.n))


def _lost(train: Tie, held: Tie) -> bool:
    """Whether training rows are as good as unrelated, where as many evaluated rows would be far from it."""
    expected = held.above * train.rows / held.rows
    return train.rows >= 2 * FEW and train.above < NONE and train.share < 0.1 * held.share and expected >= 1.5 * SURE


def _paired(
    trace: Trace, guess: Seen, target: Seen, op: Op, calls: dict[int, Forward], taken: dict[tuple[int, int], Tensor]
) -> tuple[Forward, Pair] | None:
    """The call behind a guess, with the points of its input and those of the target."""
    wanted = taken.get(key(target))
    if target.needs_grad or wanted is None or wanted.shape[1] != 1:
        return None
    call = call_behind(trace, guess, op.n, calls)
    while call is not None and call.inputs and call.inputs[0].needs_grad:
        call = call_behind(trace, call.inputs[0], call.n, calls)
    given = taken.get(key(call.inputs[0])) if call is not None and call.inputs else None
    if call is None or given is None or len(given) != len(wanted) or _own(trace, target, op.n, calls):
        return None
    return call, (given, wanted)


def _own(trace: Trace, target: Seen, before: int, calls: dict[int, Forward], most: int = 60) -> bool:
    """Whether a target was made of what a model said, as actions and old probabilities are: a tie by construction."""
    return any(one.number in calls for one, _ in trace.back([target], before, most))


def _few(index: tuple[object, ...]) -> str:
    return ", ".join(str(each) for each in index[:4]) + ", ..." * (len(index) > 4)


def _lists(trace: Trace) -> Iterator[Finding]:
    """Lists that are shuffled without the labels beside them, or each into an order of its own."""
    for site, message, evidence, level in (*alone(trace), *twice(trace)):
        yield found(RULE, site, message, evidence, WHY, MEND, level=level)
