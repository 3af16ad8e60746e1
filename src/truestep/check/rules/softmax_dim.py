"""Softmax over the wrong dimension.

What: probabilities that a loss, a pick or a sum reads along the classes were made to add up over the samples instead;
or the weights of a self-attention add up over the queries, and are summed over the keys, or those of a pooling over
steps add up over the samples; or the scores of a model that learns its classes along one dimension are turned into
probabilities along the other one elsewhere, for a soft target or a report, or are ranked along it; with torch's
softmax, or by hand from exponentials and their sums.

Why: the samples of a batch compete with one another. The loss can be made small without any sample being right, and
what a model says of one sample depends on its neighbours.

Evidence: the dimension that softmax was given, its shape, and the dimension along which the result is then read; or
that there is one entry along the given dimension at every update, and several along another one.

False alarms: a softmax over the samples that is also read along them (attention over instances, a contrastive loss of
both directions, assignments to slots) is no finding, nor are weights that are divided by their sum again, nor square
tables of scores, which have classes both ways.

Mend: `dim=-1` (or 1 for (N, C) scores).

Wrong:
    loss = F.nll_loss(F.log_softmax(scores, dim=0), y)

Right:
    loss = F.nll_loss(F.log_softmax(scores, dim=1), y)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from truestep.check.events import Op
from truestep.check.finding import Finding, Rule
from truestep.check.looks import Seen
from truestep.check.mends.losses import AlongClasses
from truestep.check.rules import found
from truestep.check.rules._normalised import by_hand
from truestep.check.rules._overlap import overlaps
from truestep.check.rules._ranked import giver, givers, ranked
from truestep.check.rules._read_along import KINDS, attends, pools, samples, weighed
from truestep.check.rules._turned import turned
from truestep.check.rules._weighed import weighed_alone
from truestep.check.trace import Trace

RULE = Rule("TS345", "softmax_dim", "softmax over the wrong dimension", "error", "losses")
MENDING = AlongClasses()
MOST = 0.9
SAME = {"dropout", "log", "clamp", "clamp_min", "float", "to", "contiguous", "clone", "add", "neg"}
"""Calls behind a softmax that keep its shape and its meaning (with one tensor among their inputs)."""
ROWS = {"__getitem__", "index_select"}
"""Calls that choose some of the rows, as a mask of the training nodes does."""
PRODUCTS = {"matmul", "bmm", "einsum", "baddbmm"}


class Misread(NamedTuple):
    """How a result is read along another dimension than that of the softmax, and along which one (None: no one)."""

    words: str
    along: int | None
    target: bool = False


def look(trace: Trace) -> Iterator[Finding]:
    """Look at the dimension of each softmax and at how its result is read."""
    lines: dict[tuple[str, int], list[tuple[Op, int, Misread | None]]] = defaultdict(list)
    for op in (*trace.ops(*KINDS), *by_hand(trace)):
        dim = _dim(op)
        if dim is not None and op.inputs:
            lines[op.site.place].append((op, dim, _misread(trace, op, dim)))
    classified = _classified(trace)
    for calls in lines.values():
        op, dim, first = next((call for call in calls if call[2]), calls[0])
        reached = [(made.grad and made.inputs[0].needs_grad, how) for made, _, how in calls]
        learned = [how for grad, how in reached if grad or (how is not None and how.target)]
        if first and learned and sum(map(bool, learned)) >= MOST * len(learned):
            yield found(
                RULE,
                op.site,
                f"{op.name} is taken over dimension {dim} of {tuple(op.inputs[0].shape)}, and its result is read along "
                "another one",
                f"in {len(calls)} calls its {op.inputs[0].shape[dim]} entries over dimension {dim} add up to 1; "
                f"{first.words}",
                "so the entries that should add up do not, and samples or positions compete with one another",
                "give softmax the dimension along which its result is read: dim=-1 in most cases",
                facts={"along": first.along},
            )
        elif single := weighed_alone([call[:2] for call in calls]):
            yield found(RULE, *single, level="warning", facts={"along": None})
        elif told := next((each for each in calls if _across(trace, *each[:2], classified)), None):
            op, dim = told[:2]
            yield found(
                RULE,
                op.site,
                f"{op.name} is taken over dimension {dim} of {tuple(op.inputs[0].shape)}, the samples",
                f"these are the scores of a model whose classes cross_entropy reads along dimension 1 in line "
                f"{classified[giver(trace, op)]}, and their entries over dimension {dim} add up to 1",
                "what it says of one sample depends on the others, and the shares of the classes do not add up",
                "give softmax the dimension of the classes: dim=-1 or dim=1",
                level="warning",
                facts={"along": None},  # the loss with the right one is another figure: runs cannot be compared by it
            )
        else:
            yield from _ranked(trace, [call[:2] for call in calls])


def _ranked(trace: Trace, calls: list[tuple[Op, int]]) -> Iterator[Finding]:
    """Scores that are ranked along another dimension than that along which they are learned."""
    told = ranked(trace, calls)
    if told is not None:
        op, pick = told
        yield found(
            RULE,
            op.site,
            f"{op.name} is taken over dimension 0 of {tuple(op.inputs[0].shape)}, and the scores are ranked along "
            "dimension 1",
            f"{pick.name} on line {pick.site.line} finds the best of this model's scores along dimension 1; no softmax "
            "of training reads them so",
            "the entries of a row, among which the best is wanted, are never compared in training",
            "give softmax the dimension along which the best is found",
            level="warning",
            facts={"along": None},
        )


def _classified(trace: Trace) -> dict[int, int]:
    """The models whose scores cross_entropy read row by row in training, with the line where it did."""
    gave = trace.once(givers)
    return {
        gave[loss.prediction.number]: loss.op.site.line
        for loss in trace.losses()
        if loss.name == "cross_entropy" and loss.op.grad and loss.prediction.number in gave
        and len(loss.prediction.shape) == 2
    }  # fmt: skip


def _across(trace: Trace, op: Op, dim: int, classified: dict[int, int]) -> bool:
    """Whether the scores of a model that learns its classes along dimension 1 are normalised over its samples."""
    shape = op.inputs[0].shape
    return (
        op.name == "softmax" and dim == 0 and len(shape) == 2 and 1 < shape[0] != shape[1]
        and giver(trace, op) in classified
    )  # fmt: skip


def _dim(op: Op) -> int | None:
    """The dimension of a softmax, counted from 0; as torch chooses where none was given."""
    place = 4 if op.name == "gumbel_softmax" else 1
    dim = op.arg(place, "dim", -1 if op.name == "gumbel_softmax" else None)
    count = len(op.inputs[0].shape) if op.inputs else 0
    if dim is None:
        dim = 0 if count in (0, 1, 3) else 1
    return dim % count if isinstance(dim, int) and count > 1 else None


def _misread(trace: Trace, op: Op, dim: int) -> Misread | None:
    """How the result is read along another dimension than that of the softmax; None where it is not."""
    shape = op.inputs[0].shape
    if shape[dim] == 1:
        return _alone(trace, op, dim)
    for user in _users(trace, op):
        classes = 1 if len(shape) > 1 else 0
        loss = user.name == "nll_loss" or (user.name == "kl_div" and len(shape) == 2)
        if user.name == "cross_entropy" and dim == 0 and len(shape) == 2 and user.grad and user.inputs[0].needs_grad:
            target = user.inputs[0].number not in {out.number for out in op.out}
            told = f"{user.name} on line {user.site.line} reads them along dimension 1"
            return Misread(f"{told}{', as its target' * target}", None if target else 1, target)
        if loss and user.inputs[0].shape[1:] == shape[1:] and dim != classes:
            return Misread(f"{user.name} on line {user.site.line} reads them along dimension {classes}", classes)
        if op.name == "log_softmax" and dim == 0 and len(shape) == 2 and weighed(trace, user, shape):
            return Misread(f"{user.name} on line {user.site.line} weighs them, and they are summed over dimension 1", 1)
        if dim == 0 and len(shape) == 2 and _along(user, shape) == classes:
            return Misread(f"{user.name} on line {user.site.line} reads them along dimension 1", 1)
        if op.name == "softmax" and dim == 0 and pools(trace, op, user):
            return Misread(f"{user.name} on line {user.site.line} weighs the entries of each sample with them", 1)
        if op.name == "softmax" and dim == 0 and user.name == "bmm" and samples(trace, op, op.inputs[0].shape[0]):
            return Misread(f"bmm on line {user.site.line} takes them sample by sample along dimension 0", 2)
        if dim == 0 and overlaps(trace, op, user):
            told = f"{user.name} on line {user.site.line} lays classes in ones and zeros over them"
            return Misread(f"{told}, which lie along dimension 1", 1)
        if user.name in PRODUCTS and dim < len(shape) - 1 and attends(trace, op, user):
            last = len(shape) - 1
            return Misread(f"{user.name} on line {user.site.line} sums them over the last dimension, the keys", last)
    turn = turned(trace, op, dim)
    return Misread(*turn) if turn else None


def _alone(trace: Trace, op: Op, dim: int) -> Misread | None:
    """A softmax over a single entry is always 1: where a loss reads it, nothing can be learned."""
    if dim == 0 and len(op.inputs[0].shape) == 2 and op.inputs[0].needs_grad:
        return Misread("with a single row each entry is 1, whatever the model says", 1)
    losses = [user for user in _users(trace, op) if user.name.endswith("_loss") or "cross_entropy" in user.name]
    if losses and op.inputs[0].needs_grad and len(op.inputs[0].shape) == 2 and dim == 1:
        return Misread(f"it is 1 for a single entry, whatever the model says, and {losses[0].name} reads it", None)
    return None


def _users(trace: Trace, op: Op, most: int = 12) -> Iterator[Op]:
    """The calls that read a softmax, behind those that keep it as it is."""
    waiting: list[tuple[Seen, int]] = [(each, op.n) for each in op.out]
    for _ in range(most):
        if not waiting:
            return
        seen, after = waiting.pop(0)
        for user in trace.users(seen, after):
            yield user
            if user.name in SAME and len(user.inputs) == 1:
                waiting += [(each, user.n) for each in user.out if each.shape == seen.shape]
            elif user.name in ROWS and user.inputs and user.inputs[0].number == seen.number:
                waiting += [(each, user.n) for each in user.out if each.shape[1:] == seen.shape[1:] != ()]


def _along(user: Op, shape: tuple[int, ...]) -> int | None:
    """The dimension along which a call picks one entry of each row."""
    if user.name in ("gather", "argmax", "max", "topk") and user.inputs and user.inputs[0].shape == shape:
        dim = user.arg(2 if user.name == "topk" else 1, "dim")
        return dim % len(shape) if isinstance(dim, int) and not isinstance(dim, bool) else None
    if user.name == "__getitem__" and len(user.args) > 1 and isinstance(user.args[1], tuple):
        rows, picks = (*user.args[1], None, None)[:2]
        if not isinstance(picks, Seen) or picks.shape != shape[:1]:
            return None
        each = rows.shape == picks.shape and rows.number != picks.number if isinstance(rows, Seen) else rows == "range"
        return 1 if each else None  # and not the diagonal
    return None
