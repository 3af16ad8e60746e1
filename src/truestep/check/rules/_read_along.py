"""Along which dimension weights are read: by a sum over classes, by a pooling of entries, or by an attention."""

from __future__ import annotations

from truestep.check.events import Forward, Op
from truestep.check.rules._chains import origin
from truestep.check.trace import Trace

KINDS = ("softmax", "log_softmax", "gumbel_softmax")
SCORES = {"matmul", "bmm", "einsum", "baddbmm", "div", "mul", "masked_fill", "masked_fill_", "add", "sub", "where"}


def weighed(trace: Trace, user: Op, shape: tuple[int, ...]) -> bool:
    """Whether a product with targets is summed over the classes, as in a cross entropy by hand.

    Or what is added, as the log-densities of a mixture, goes into a logsumexp over the parts of each sample.
    """
    whole = {"mul": "sum", "add": "logsumexp"}.get(user.name, "")
    if not whole or len(user.inputs) != 2 or user.inputs[0].shape != user.inputs[1].shape:
        return False
    if whole == "logsumexp" and shape[0] == shape[-1]:  # as of states before and after a transition
        return False
    sums = [
        later for out in user.out if out.shape == shape for later in trace.users(out, user.n) if later.name == whole
    ]
    return any(later.arg(1, "dim") in (1, -1, (1,), (-1,)) for later in sums)


def pools(trace: Trace, op: Op, user: Op) -> bool:
    """Whether weights that add up over the samples weigh the entries within each, as attention pooling does."""
    shape, weights = op.inputs[0].shape, {out.number for out in op.out}
    if len(shape) not in (2, 3) or shape[1] < 2 or shape.count(shape[0]) > 1 or not samples(trace, op, shape[0]):
        return False
    if _weighs(trace, user, shape, weights):
        return True
    if user.name in ("unsqueeze", "__getitem__") and user.out and user.out[0].shape == (*shape[:2], 1):
        later = trace.users(user.out[0], user.n)
        return any(_weighs(trace, each, shape, {user.out[0].number}) for each in later)
    if user.name in ("transpose", "unsqueeze", "permute") and user.out and user.out[0].shape[0] == shape[0]:
        later = trace.users(user.out[0], user.n)
        return bool(later) and all(
            each.name in ("bmm", "matmul") and each.inputs[0].number == user.out[0].number
            and each.inputs[0].shape[0] == shape[0] and each.inputs[0].shape[-1] == shape[1] for each in later
        )  # fmt: skip
    return False


def _weighs(trace: Trace, user: Op, shape: tuple[int, ...], weights: set[int]) -> bool:
    """Whether a product weighs the entries of each sample, which are then summed."""
    others = [each for each in user.inputs if each.number not in weights]
    if len(user.inputs) != 2 or len(others) != 1 or others[0].shape[:2] != shape[:2]:
        return False
    if user.name == "einsum":
        terms, _, out = str(user.args[0]).replace(" ", "").partition("->")
        mine = terms.split(",")[user.inputs.index(others[0]) ^ 1]
        return len(mine) == len(shape) and mine[0] in out and mine[1] not in out
    if user.name != "mul":
        return False
    made = origin(trace, others[0], user.n)
    sums = [later for out in user.out for later in trace.users(out, user.n)]
    along = [later.arg(1, "dim") for later in sums if later.name == "sum"]
    plain = made is None or made.name not in KINDS
    return bool(along) and set(along) <= {1, (1,)} and len(sums) == len(along) and plain


def samples(trace: Trace, op: Op, size: int) -> bool:
    """Whether the model whose call this lies in was given, and gave, so many samples along dimension 0."""
    calls = (call for call in trace.of(Forward) if call.depth == 0 and call.began < op.n < call.n)
    return any(
        call.inputs and call.outputs and call.inputs[0].shape[:1] == call.outputs[0].shape[:1] == (size,)
        for call in calls
    )  # fmt: skip


def attends(trace: Trace, op: Op, user: Op) -> bool:
    """Whether a square table of scores in a batch weighs the values of a self-attention."""
    shape = op.inputs[0].shape
    if len(shape) < 3 or shape[-1] != shape[-2] or shape[-1] < 2 or len(user.inputs) != 2:
        return False
    left, right = user.inputs
    made = origin(trace, op.inputs[0], op.n)
    if made is None or made.name not in SCORES or left.shape != shape or right.shape[:-2] != shape[:-2]:
        return False
    if user.name != "einsum":
        return right.shape[-2] == shape[-1]
    equation = str(user.args[0]).replace(" ", "")
    terms, _, out = equation.partition("->")
    first = terms.split(",")[0]
    return len(first) == len(shape) and first[-1] not in out and first[-2] in out
