"""Errors of positions that a mask has set to zero, and what they are divided by."""

from __future__ import annotations

from math import prod

from truestep.check.events import Batch, Op
from truestep.check.looks import Seen
from truestep.check.rules._chains import SOUND, origin, root
from truestep.check.site import Site
from truestep.check.trace import Trace

LOSSES = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "cross_entropy", "nll_loss")
ERRORS = {"pow", "square", "abs", *LOSSES, "binary_cross_entropy_with_logits", "binary_cross_entropy"}
COMPARED = {"lt", "le", "gt", "ge", "ne"}


def masks(trace: Trace, seen: Seen, before: int) -> Op | None:
    """The comparison behind a mask by which a tensor was multiplied, or that chose between it and zeros."""
    op = trace.maker(seen, before)
    if op is None or op.name not in ("mul", "masked_fill", "where") or len(op.inputs) < 2:
        return None
    for one, other in (op.inputs[:2], op.inputs[1::-1]):
        made = trace.maker(root(trace, one, op.n), op.n)
        if made is not None and not one.needs_grad and other.needs_grad and _lengths(made):
            return made
    return None


def _batched(trace: Trace, seen: Seen, before: int) -> tuple[Site, float] | None:
    """A mask that a loader handed out, by which errors were multiplied: where, and the share that it leaves."""
    op = trace.maker(seen, before)
    if op is None or op.name != "mul" or len(op.inputs) < 2:
        return None
    for one, other in (op.inputs[:2], op.inputs[1::-1]):
        made, mask = origin(trace, other, op.n), root(trace, one, op.n, SOUND)
        if made is None or made.name not in ERRORS or one.needs_grad or len(mask.shape) < 2:
            continue
        for batch in trace.of(Batch):
            for each in batch.tensors[1:]:
                values = each.values if each.number == mask.number else None
                if values is not None and values.whole and (values.low, values.high) == (0.0, 1.0):
                    return batch.site, values.mean
    return None


def _lengths(made: Op) -> bool:
    """Whether a mask compares whole numbers (lengths with places, or tokens with one) and leaves a part out."""
    values = made.out[0].values if made.out else None
    whole = all(each.dtype.startswith(("int", "uint")) for each in made.inputs)
    return (
        made.name in COMPARED and whole and len(made.out[0].shape) >= 2 and values is not None and 0 < values.mean < 1
    )


def masked(trace: Trace, op: Op) -> str:
    """A mean, or a sum over a plain number, of errors that a mask has set to zero."""
    if not op.inputs or not op.inputs[0].needs_grad:
        return ""
    made, size = masks(trace, op.inputs[0], op.n), prod(op.inputs[0].shape)
    given = _batched(trace, op.inputs[0], op.n) if made is None else None
    if made is None and given is None:
        return ""
    if op.name == "sum":
        users = [user for out in op.out for user in trace.users(out, op.n)]
        if not any(user.name == "div" and user.args[1:] == (size,) for user in users):
            return ""
    if made is not None:
        return share(made, size)
    left = f"the mask of the batch leaves {100 * given[1]:.3g} % of the positions" if given is not None else ""
    return f"{left}, and the loss divides by all {size}"


def share(made: Op, size: int) -> str:
    values = made.out[0].values
    left = values.mean if values is not None else 1.0
    told = f"the mask of line {made.site.line} leaves {100 * left:.3g} % of the positions"
    return f"{told}, and the loss divides by all {size}"
