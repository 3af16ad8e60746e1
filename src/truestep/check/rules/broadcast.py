"""A column against a row: (N, 1) with (N,) compares every sample with every other one.

What: the operands of a loss, a difference or a comparison have the shapes (N, 1) and (N,); the result is an N by N
table, which is then averaged or summed. Or weights of the samples, (N, 1), meet their losses, (N,).

Why: broadcasting pairs every prediction with every target. The loss is least when all predictions equal the mean of
the targets, and an accuracy counts all pairs.

Evidence: the shapes of the operands and of the result.

False alarms: pairs that are wanted are made with `unsqueeze`, `[:, None]`, a transpose or a `view` of the very same
tensor. These are no finding; nor is a table that is never reduced.

Mend: give both the same shape: `prediction.squeeze(1)` or `target.unsqueeze(1)`.

Wrong:
    loss = ((model(x) - y) ** 2).mean()        # (N, 1) - (N,)

Right:
    loss = ((model(x).squeeze(1) - y) ** 2).mean()
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from truestep.check.events import Op
from truestep.check.finding import Finding, Rule
from truestep.check.looks import Seen
from truestep.check.mends.losses import Squeezed
from truestep.check.rules import found
from truestep.check.rules._chains import origin
from truestep.check.trace import LOSSES as NAMED
from truestep.check.trace import Trace

RULE = Rule("TS310", "broadcast", "a column against a row", "error", "losses")
MENDING = Squeezed()
LOSSES = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "gaussian_nll_loss", "poisson_nll_loss")
PLAIN = ("sub", "eq", "ne")
ON_PURPOSE = {"unsqueeze", "__getitem__", "t", "transpose", "T", "mT", "permute", "expand", "view", "reshape"}
MIXES = {"add", "sub", "mul", "div", "neg", "__radd__", "detach", "clone", "float", "to"}
TERMS = {"add", "__radd__", "sub"}
ERRORS = {"pow", "square", "abs"}
REDUCED = {"mean", "sum", "nanmean", "nansum"}


def look(trace: Trace) -> Iterator[Finding]:
    """Look at the shapes of what is compared."""
    yield from _weighted(trace)
    for op in trace.ops(*LOSSES, *PLAIN):
        if len(op.inputs) < 2:
            continue
        one, other = op.inputs[:2]
        crossed = _crossed(trace, op) if op.name in LOSSES or (op.name == "sub" and _reduced(trace, op)) else None
        if crossed is not None:
            size = one.shape[0]
            yield found(
                RULE,
                crossed.site,
                f"{crossed.name} of shapes {' and '.join(_shape(each) for each in crossed.inputs[:2])} makes a table",
                f"{op.name} on line {op.site.line} then compares {_shape(one)} with {_shape(other)}: {size * size} "
                f"pairs, of which {size} are meant",
                "a loss over all pairs is least when every prediction is the mean of the targets",
                "give both the same shape: squeeze(-1) the column, or unsqueeze(-1) the row",
                facts={"loss": crossed.name in LOSSES},
            )
            continue
        column, row = (one, other) if len(one.shape) > len(other.shape) else (other, one)
        if not _outer(column, row) or column.storage == row.storage:
            continue
        maker = trace.maker(column, op.n)
        wanted = maker is not None and maker.name in ON_PURPOSE and op.name in PLAIN and not _sliced(maker, column, row)
        if not wanted and (op.name in LOSSES or _reduced(trace, op)):
            size = row.shape[0]
            yield found(
                RULE,
                op.site,
                f"{op.name} of shapes {_shape(one)} and {_shape(other)} pairs every sample with every other one",
                f"{size} samples give a table of {size} by {size}: {size * size} pairs, of which {size} are meant",
                "a loss over all pairs is least when every prediction is the mean of the targets; a share of hits "
                "over all pairs counts chance",
                "give both the same shape: squeeze(-1) the column, or unsqueeze(-1) the row",
                facts={"loss": op.name in LOSSES},
            )


def _weighted(trace: Trace) -> Iterator[Finding]:
    """Losses of samples in a row times a column of weights, or the other way round, all of which is summed at once."""
    for op in trace.ops("mul"):
        if len(op.inputs) != 2 or not op.grad:
            continue
        column, row = sorted(op.inputs, key=lambda each: -len(each.shape))
        if not _outer(column, row) or column.needs_grad == row.needs_grad:
            continue
        losses, weights = (row, column) if row.needs_grad else (column, row)
        made, users = origin(trace, losses, op.n), _ends(trace, op)
        if made is not None and made.name in NAMED | ERRORS and users:
            size = row.shape[0]
            yield found(
                RULE,
                op.site,
                f"weights of shape {_shape(weights)} times losses of {_shape(losses)}: each loss gets every weight",
                f"{size} samples give a table of {size} by {size}; its {users[0].name} is that of the losses times "
                "that of the weights, whichever weight belongs to which sample",
                "the weights are without effect but for their sum: no sample counts more than another",
                f"give both the same shape: squeeze(-1) the {'losses' if losses is column else 'weights'}",
                facts={"loss": True},
            )


def _ends(trace: Trace, op: Op, most: int = 6) -> list[Op]:
    """The calls that make one number of a table, with what is added to it first; none where anything else uses it."""
    found, waiting = list[Op](), [op]
    for _ in range(most):
        if not waiting:
            break
        made = waiting.pop(0)
        for user in (later for out in made.out for later in trace.users(out, made.n)):
            if user.name in REDUCED and user.out and not user.out[0].shape:
                found.append(user)
            elif user.name in TERMS and user.out and user.out[0].shape == op.out[0].shape:
                waiting.append(user)
            else:
                return []
    return [] if waiting else found


def _crossed(trace: Trace, op: Op, most: int = 8) -> Op | None:
    """The call that made a table of a column and a row, where a loss compares that table with one number a sample."""
    flat, table = sorted(op.inputs[:2], key=lambda each: math.prod(each.shape))
    size = table.shape[0] if table.shape else 0
    if size < 2 or table.shape != (size, size) or flat.shape not in ((size,), (size, 1)):
        return None
    waiting = [(table, op.n)]
    for _ in range(most):
        if not waiting:
            return None
        made = trace.maker(*waiting.pop(0))
        if made is None or made.name not in MIXES:
            continue
        both = sorted(made.inputs[:2], key=lambda each: -len(each.shape))
        if len(both) == 2 and _outer(*both) and (op.name in LOSSES or _learned(trace, both[0], made, flat)):
            return made
        waiting += [(each, made.n) for each in made.inputs if each.shape == table.shape]
    return None


def _learned(trace: Trace, column: Seen, made: Op, flat: Seen) -> bool:
    """Whether the column is an output as it came, not one that was turned on purpose, against a prediction."""
    maker = trace.maker(column, made.n)
    return flat.needs_grad and (maker is None or maker.name not in ON_PURPOSE)


def _sliced(maker: Op, column: Seen, row: Seen) -> bool:
    """Whether a column was cut out of predictions, `out[:, i : i + 1]`, which a row of targets is taken from."""
    index = maker.args[1] if maker.name == "__getitem__" and len(maker.args) > 1 else None
    slices = isinstance(index, tuple) and all(each == "ellipsis" or isinstance(each, slice) for each in index)
    return slices and column.needs_grad and not row.needs_grad and maker.inputs[0].shape[:1] == column.shape[:1]


def _outer(column: Seen, row: Seen) -> bool:
    """Whether one has the shape of the other and one dimension more: of series that meets as many steps as samples."""
    series = len(row.shape) > 1 and len(set(row.shape)) == 1 and column.needs_grad != row.needs_grad
    return (len(row.shape) == 1 or series) and column.shape == (*row.shape, 1) and math.prod(row.shape) > 1


def _reduced(trace: Trace, op: Op, most: int = 12) -> bool:
    """Whether the table ends in one number, within so many calls."""
    waiting = [op]
    for _ in range(most):
        if not waiting:
            return False
        made = waiting.pop(0)
        users = [later for each in made.out for later in trace.users(each, made.n)]
        if any(later.name in REDUCED and later.out and not later.out[0].shape for later in users):
            return True
        waiting += users
    return False


def _shape(seen: Seen) -> str:
    return f"({', '.join(map(str, seen.shape))}{',' * (len(seen.shape) == 1)})"
