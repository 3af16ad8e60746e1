"""Targets that are the inputs one step on, before a model whose steps are made of later inputs too."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from math import prod
from typing import NamedTuple

from truestep.check.events import Op
from truestep.check.looks import Seen
from truestep.check.rules._chains import SOUND, by_line, root
from truestep.check.site import Site
from truestep.check.trace import LossCall, Trace

RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu")
SCALES = {"mul", "div", "dropout", "masked_fill", "masked_fill_", "where", "add"}
PLACED = SOUND | {
    "relu", "relu_", "tanh", "gelu", "sigmoid", "silu", "elu", "leaky_relu", "dropout", "layer_norm", "rms_norm",
    "batch_norm", "add", "sub", "mul", "div", "embedding", "linear", "conv1d", "chunk", "split", "unbind",
    "log_softmax", *RECURRENT,
}  # fmt: skip
"""Calls whose output at a step is made, among others, of their input at that step."""
PRODUCTS = {"matmul", "bmm", "einsum", "__matmul__"}
LEAST, KINDS, MOSTLY, CALLS = 24, 3, 0.98, 3
OPEN = 1e-6
"""The fewest numbers compared and their kinds, how many are equal, in how many calls; how far a step reads ahead."""
IGNORED = -100


class Given(NamedTuple):
    """The first numbers of a tensor that a model or a loss was given."""

    key: tuple[int, int]
    shape: tuple[int, ...]
    first: array[float]


def reading_ahead(trace: Trace) -> Iterator[tuple[Site, str]]:
    """The lines of losses whose targets the model has seen, and how."""
    taken = [(op, Given(op.args[:2], op.args[2], op.words["first"])) for op in trace.ops("leading")]
    known = {each.key: each for _, each in taken}
    for calls in by_line([call for call in trace.losses() if call.op.grad and call.prediction.needs_grad]):
        seen: list[tuple[Op, Given]] = []
        for call in calls if taken else ():
            target = known.get((call.target.number, call.target.version))
            inputs = [one for op, one in taken if op.update == call.op.update and op.n < call.op.n]
            shifted = [one for one in inputs if target is not None and _shifted(one, target)]
            ways = ((one, _way(trace, call, one.key)) for one in shifted)
            found = next(((op, one) for one, op in ways if op is not None), None)
            seen += [found] if found else []
        if len(seen) >= CALLS:
            op, one = seen[0]
            yield calls[0].op.site, (
                f"in {len(seen)} calls the targets are the input {one.shape} one step on, number by number, and "
                f"{_told(op)} on line {op.site.line} lets a step read the ones after it"
            )  # fmt: skip


def _told(op: Op) -> str:
    if op.name in RECURRENT:
        return f"{op.name} in both directions"
    if op.name == "conv1d":
        return "conv1d, whose kernel reaches to both sides,"
    if op.name == "softmax":
        return f"the attention, with {op.words['ahead']:.2g} of its weight on the next step,"
    return "the attention, without a mask that hides them,"


def _shifted(given: Given, target: Given) -> bool:
    """Whether the target is the input one step on, along its first or second dimension; it may lack a step."""
    shape = given.shape
    for axis in range(min(len(shape), 2)):
        inner, steps = prod(shape[axis + 1 :]), shape[axis]
        for long in (steps, steps - 1):
            if steps < 3 or prod(target.shape) * steps != prod(shape) * long:
                continue
            pairs, still = [], 0
            for place, value in enumerate(target.first):
                outer, rest = divmod(place, long * inner)
                here = outer * steps * inner + rest
                if rest // inner + 1 < steps and here + inner < len(given.first) and value != IGNORED:
                    pairs.append((value, given.first[here + inner]))
                    still += value == given.first[here]
            equal = sum(one == other for one, other in pairs)
            kinds = len({one for one, _ in pairs})
            if len(pairs) >= LEAST and kinds >= KINDS and equal >= MOSTLY * len(pairs) > still:
                return True
    return False


def _way(trace: Trace, call: LossCall, key: tuple[int, int]) -> Op | None:
    """The call that reads ahead on a way, step by step, from the prediction back to the input."""
    waiting: list[tuple[Seen, int, Op | None]] = [(call.prediction, call.op.n, None)]
    known: set[tuple[int, bool]] = set()
    while waiting and len(known) < 300:
        seen, limit, reads = waiting.pop(0)
        if (seen.number, seen.version) == key:
            if reads is not None:
                return reads
            continue
        op = trace.maker(seen, limit)
        if op is None or not op.inputs or (op.n, reads is not None) in known:
            continue
        known.add((op.n, reads is not None))
        waiting += [(each, op.n, reads or _reads(trace, op)) for each in _followed(trace, op)]
    return None


def _followed(trace: Trace, op: Op) -> tuple[Seen, ...]:
    """The inputs that stand at the same steps as the output."""
    if op.name == "__getitem__":
        return op.inputs[:1] if _still(op) else ()
    if op.name in PRODUCTS:
        return op.inputs[1:2] if len(op.inputs) == 2 and _weights(trace, op) is not None else ()
    if op.name == "multi_head_attention_forward":
        return op.inputs[:1] if op.inputs[0].number == op.inputs[1].number else ()
    if op.name == "scaled_dot_product_attention":
        return op.inputs[2:3]
    if op.name == "conv1d":
        return op.inputs[:1] if op.inputs[0].shape[-1] == op.out[0].shape[-1] else ()
    return (op.inputs[:1] if op.name in RECURRENT else op.inputs) if op.name in PLACED else ()


def _reads(trace: Trace, op: Op) -> Op | None:
    """The call itself, or the softmax before it, where a step is made of later ones too."""
    if op.name in PRODUCTS:
        return _weights(trace, op)
    if op.name in RECURRENT:
        return op if op.arg(7, "bidirectional", False) is True and not _parted(trace, op) else None
    if op.name == "scaled_dot_product_attention" and not _same_steps(trace, op):
        return None
    return op if op.words.get("ahead", 0.0) > OPEN else None


def _still(op: Op) -> bool:
    """Whether an index leaves every step where it was: it cuts ends off, or takes some of what stands at a step."""
    index, count = op.args[1] if len(op.args) > 1 else None, len(op.inputs[0].shape)
    cuts = index if isinstance(index, tuple) else (index,)
    if isinstance(cuts[-1], slice) and count > 2 and ("ellipsis" in cuts or len(cuts) == count):
        cuts = cuts[:-1]
    if cuts and type(cuts[0]) is int and count > 3:  # queries, keys or values of a product that stands for the three
        cuts = cuts[1:]
    return all(each == "ellipsis" or (isinstance(each, slice) and each.start in (None, 0)) for each in cuts)


def _parted(trace: Trace, op: Op) -> bool:
    """Whether the two directions of a recurrent layer are taken apart again."""
    for later in trace.users(op.out[0], op.n):
        wider = later.name in SOUND and later.out and len(later.out[0].shape) > len(op.out[0].shape)
        if later.name in ("chunk", "split", "tensor_split", "__getitem__") or wider:
            return True
    return False


def _weights(trace: Trace, op: Op) -> Op | None:
    """The softmax by whose weights a product averages over steps, where they are those of attention to itself."""
    made = trace.maker(op.inputs[0], op.n)
    while made is not None and made.name in SCALES | SOUND and made.inputs:
        made = trace.maker(made.inputs[0], made.n)
    if made is None or made.name != "softmax" or made.words.get("ahead", 0.0) <= OPEN:
        return None
    scores = trace.maker(made.inputs[0], made.n)
    while scores is not None and scores.name in SCALES | SOUND and scores.inputs:
        scores = trace.maker(next((each for each in scores.inputs if each.needs_grad), scores.inputs[0]), scores.n)
    return made if scores is not None and scores.name in PRODUCTS and _same_steps(trace, scores) else None


def _same_steps(trace: Trace, op: Op) -> bool:
    """Whether queries and keys are made of the same tensor."""
    through = SOUND | {"linear", "chunk", "split", "__getitem__", "unbind", "mul", "div", "matmul", "__matmul__"}
    query, key = (root(trace, each, op.n, through) for each in op.inputs[:2])
    return query.number == key.number
