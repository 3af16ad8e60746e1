"""A layer of ReLUs is off for every sample, so no gradient passes it.

What: the output of a ReLU (or GELU, SiLU, ...) between two layers is zero for all units and all samples, at every pass;
or that of a sigmoid, tanh or hard limit stands at its bounds for all of them; or that of a sigmoid or tanh does so for
nine in ten of them and more, from the first pass to the last; or a good part of the units of a wide layer of ReLUs is
off for every sample of the run.

Why: where an activation is flat its gradient is zero: the layers before it never move again, and the layers after it
see the same whatever comes in.

Evidence: the least and greatest output at each pass, and the gradient of the weights before it (exactly zero). Of a
part: which units are below zero for all samples of all passes, and how few are above zero for all of them.

False alarms: a ReLU in a loss (a hinge, a margin) is zero where all samples are right; it is followed by no layer.
Single dead units are common and do no harm. Weights around zero leave as many units on as off for all samples of the
first pass: where inputs hardly differ, as deep down or over a short interval, half may be off and is no finding. Units
that training lets die one by one are none either, nor are pruned ones, which stand at zero.

Mend: random weights around zero and biases of zero; a smaller rate where they died during training.

Wrong:
    nn.init.uniform_(layer.weight, -1, 0)

Right:
    nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from truestep.check.changes import Backward
from truestep.check.events import Op
from truestep.check.finding import Finding, Rule
from truestep.check.rules import found
from truestep.check.trace import Trace

RULE = Rule("TS212", "dead_units", "an activation is flat for every sample", "error", "parameters")
OFTEN = 5
TINY = 1e-30
LEAST_UNITS, MOST_UNITS, SKEW, SAMPLES = 12, 0.4, 8, 64
"""Units that are off and their part of the layer; how many times those that are always on; the samples seen."""
PRESSED, MIDST = 0.9, 0.1
"""The share of outputs at the bounds, at every pass, and of them at either bound."""
FLAT = {
    "relu": (0,), "gelu": (0,), "silu": (0,), "mish": (0,), "hardswish": (0,), "relu6": (0, 6), "sigmoid": (0, 1),
    "hardsigmoid": (0, 1), "tanh": (-1, 1), "hardtanh": (-1, 1),
}  # fmt: skip
"""Activations, and the outputs at which they are flat."""
LAYERS = {"linear", "conv1d", "conv2d", "conv3d", "matmul", "mm", "addmm", "__matmul__"}


def look(trace: Trace) -> Iterator[Finding]:
    """Follow each ReLU over the passes."""
    places: dict[tuple[tuple[str, int], tuple[int, ...], int], list[Op]] = defaultdict(list)
    for op in trace.ops(*FLAT):
        if op.grad and op.out and op.out[0].needs_grad and op.out[0].values is not None and len(op.out[0].shape) > 1:
            places[op.site.place, op.within, _weight(trace, op)].append(op)  # a line may hold several layers
    told: set[tuple[str, int]] = set()
    for ops in places.values():
        yield from _part(trace, ops)
        yield from _pressed(trace, ops)
        dead = 0
        for op in reversed(ops):
            if not _flat(op):
                break
            dead += 1
        if dead < OFTEN or 2 * dead < len(ops):
            continue
        op = ops[-dead]
        number, passes = _unmoved(trace, ops[-dead:])
        if passes < OFTEN or not _feeds_a_layer(trace, op) or op.site.place in told:
            continue
        told.add(op.site.place)
        since = f"from update {op.update} on" if dead < len(ops) else "from the start"
        yield found(
            RULE,
            op.site,
            f"this {op.name} (shape {op.out[0].shape}) is flat for every unit and every sample {since}",
            f"its output was {_span(op)} in the last {dead} of {len(ops)} passes seen, and the gradient of "
            f"{trace.name(number)} before it was exactly 0 in {passes}",
            "no gradient passes it: the layers before it stay as they are, those after it see a constant",
            "start from weights around zero and biases of zero, and scale the inputs; if they died in training, lower "
            "the rate",
            facts={"since": op.update if dead < len(ops) else 0},
        )


def _part(trace: Trace, ops: list[Op]) -> Iterator[Finding]:
    """A good part of the units that no sample ever wakes, from the start or from one update to the next."""
    seen = [(op, op.words["units"]) for op in ops if op.words.get("units")]
    size = seen[-1][1][0] if seen else 0
    if len(seen) < 2 * OFTEN or any(each[0] != size for _, each in seen) or not _feeds_a_layer(trace, ops[0]):
        return
    for start in _starts(seen):
        off = on = (1 << (-(-size // 8) * 8)) - 1
        for _, (_, below, above) in seen[start:]:
            off, on = off & below, on & above
        count, samples = off.bit_count(), sum(op.inputs[0].shape[0] for op, _ in seen[start:])
        if count < MOST_UNITS * size or count < LEAST_UNITS or samples < SAMPLES:
            continue
        first = seen[start][1]  # later those that are on have moved, and those that are off have not
        alike = SKEW * max(on.bit_count(), first[2].bit_count()) > min(count, first[1].bit_count())
        if alike or count == size or not _weight(trace, ops[-1]):
            continue
        op = seen[start][0]
        since = f"from update {op.update} on" if start else "from the start"
        yield found(
            RULE,
            op.site,
            f"{count} of the {size} units of this {op.name} are off for every sample {since}",
            f"in {len(seen) - start} of {len(seen)} passes seen, {samples} samples, their inputs were below 0 for all; "
            f"above 0 for every sample were {on.bit_count()}",
            "no gradient passes a unit that is off: its weights stay as they are, and the layer is so much narrower",
            "start from weights around zero and biases of zero, and scale the inputs; if they died in training, lower "
            "the rate",
            facts={"since": op.update if start else 0},
        )
        return


def _pressed(trace: Trace, ops: list[Op]) -> Iterator[Finding]:
    """Outputs of a sigmoid or tanh that nearly all stand at its bounds, from the first pass to the last."""
    shares = [share for op in ops for share in [op.words.get("pressed")] if share is not None]
    if len(shares) < 2 * OFTEN or min(shares) < PRESSED or len(shares) < len(ops):
        return
    op, number = ops[0], _weight(trace, ops[0])
    low, high = FLAT[op.name]
    middle = (op.out[0].values.mean - low) / (high - low) if op.out[0].values is not None else 0.0
    if number and MIDST < middle < 1 - MIDST and _feeds_a_layer(trace, op):  # a gate may be shut on purpose
        yield found(
            RULE,
            op.site,
            f"nearly all outputs of this {op.name} (shape {op.out[0].shape}) stand at its bounds, from the start",
            f"in each of {len(shares)} passes seen at least {100 * min(shares):.3g} % of them were within a hundredth "
            f"of {' and '.join(map(str, FLAT[op.name]))}; {trace.name(number)} is before it",
            "there the activation is flat, and next to no gradient passes it",
            "scale the inputs to a size around one, and start from smaller weights",
            "warning",
            facts={"since": 0},
        )


def _starts(seen: list[tuple[Op, tuple[int, int, int]]]) -> Iterator[int]:
    """The first pass, and the pass before which most units went off at once."""
    yield 0
    counts = [below.bit_count() for _, (_, below, _) in seen]
    near = [after.update - before.update < 2 for (before, _), (after, _) in pairwise(seen)]
    jumps = [(after - before) * at_once for (before, after), at_once in zip(pairwise(counts), near, strict=True)]
    leap = max(range(len(jumps)), key=jumps.__getitem__)
    if jumps[leap] >= MOST_UNITS * seen[0][1][0] and len(seen) - leap - 1 >= 2 * OFTEN:
        yield leap + 1


def _flat(op: Op) -> bool:
    """Whether all outputs are where the activation is flat."""
    values = op.out[0].values
    bounds = FLAT[op.name]
    if values is None:
        return False
    return all(any(abs(one - bound) <= TINY for bound in bounds) for one in (values.low, values.high))


def _span(op: Op) -> str:
    values = op.out[0].values
    low, high = (values.low, values.high) if values is not None else (0.0, 0.0)
    return f"{high:g}" if low == high else f"from {low:.4g} to {high:.4g}"


def _weight(trace: Trace, op: Op) -> int:
    """The weight of the layer right before an activation; 0 where there is none."""
    before = next((each for each in trace.chain(op.out[0], op.n + 1) if each.name in LAYERS), None)
    leaves = [each for each in before.inputs if each.leaf and each.needs_grad] if before is not None else []
    return leaves[0].number if leaves else 0


def _unmoved(trace: Trace, ops: list[Op]) -> tuple[int, int]:
    """The weight right before a ReLU, and in how many passes its gradient was exactly zero."""
    weight, count = 0, 0
    backwards = iter(trace.backwards())
    event: Backward | None = next(backwards, None)
    for op in ops:
        weight = _weight(trace, op) or weight
        while event is not None and event.n < op.n:
            event = next(backwards, None)
        if event is not None:
            norms = [leaf.after.norm for leaf in event.leaves if leaf.number == weight and leaf.after is not None]
            count += norms == [0.0]
    return weight, count


def _feeds_a_layer(trace: Trace, op: Op) -> bool:
    """Whether another layer reads what this ReLU makes."""
    waiting = list(op.out)
    for _ in range(12):
        if not waiting:
            return False
        users = [user for user in trace.users(waiting.pop(0), op.n) if user.update == op.update]
        if any(user.name in LAYERS and any(e.leaf and e.needs_grad for e in user.inputs) for user in users):
            return True
        waiting += [each for user in users for each in user.out if each.needs_grad and len(each.shape) > 1]
    return False
