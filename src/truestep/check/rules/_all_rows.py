"""Parts of the outputs for all samples, as of the nodes of a graph, where training or the score takes all of them."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import NamedTuple

from truestep.check.events import Forward, Op
from truestep.check.looks import Seen
from truestep.check.rules._batches import ends, readings, split
from truestep.check.rules._chains import SOUND, reaches, root
from truestep.check.rules._held import CLAIM, FEW, Picked, claims, left, picked, picks, whole_call
from truestep.check.site import Site
from truestep.check.trace import LossCall, Trace

OFTEN = 3
LOSSES = ("cross_entropy", "nll_loss", "binary_cross_entropy_with_logits", "binary_cross_entropy", "mse_loss")


class All(NamedTuple):
    """The line of the loss, or of the score, how many rows it takes, and what tells that some were held out."""

    site: Site
    rows: int
    told: str


def all_learned(trace: Trace) -> Iterator[All]:
    """A score of some rows of the outputs where every loss of training takes all of them, each with its own label.

    The rows of no other data are given to the model, and a line, or what is printed, calls the part held out.
    """
    calls = {out.number: call for call in trace.of(Forward) if call.depth == 0 for out in call.outputs}
    trained, others = split(trace)
    known = {call.n for call in trained}
    learned = [(call, one) for call in trace.losses() for one in [_taken(trace, call, calls)] if one]
    learned = [(loss, call) for loss, call in learned if call.n in known]
    data = {call.inputs[0].storage for call in [*trained, *others] if call.inputs}
    labels = {root(trace, loss.target, loss.op.n, SOUND).storage for loss, _ in learned}
    if len(learned) < OFTEN or len(data) != 1 or len(labels) != 1:
        return
    parts: dict[frozenset[int], Op] = {}
    for op, call, rows in picks(trace, calls):
        if call.n in known and op.out[0].needs_grad:
            return  # a loss of some rows
        if ends(trace, op.out[0], op.n)[0] and _labelled(trace, op, rows, labels):
            parts.setdefault(frozenset(rows), op)
    size = learned[0][1].outputs[0].shape[0]
    apart = [
        rows for rows in parts if FEW <= len(rows) < size and not any(rows & each for each in parts if each != rows)
    ]
    for rows in apart:
        site, loss = parts[rows].site, learned[0][0].op
        if CLAIM.search(site.text.replace("_", " ")) or (len(apart) > 1 and claims(trace)):
            told = f"each of the {len(learned)} losses seen takes the outputs of all {size} rows, with their labels; "
            yield All(loss.site, size, f"{told}the scores on line {site.line} take {len(rows)} of them")
            return


def _taken(trace: Trace, loss: LossCall, calls: dict[int, Forward]) -> Forward | None:
    """The call whose outputs a loss takes as they are, for all rows, and reduces with none left out."""
    shape, kept = loss.prediction.shape, loss.op.words.get("kept")
    whole = loss.op.grad and loss.prediction.needs_grad and loss.reduction in ("mean", "sum") and loss.name in LOSSES
    whole = whole and loss.op.words.get("weight") is None and shape[:1] == loss.target.shape[:1] and bool(shape)
    if not whole or (kept is not None and kept < prod(loss.target.shape)):
        return None
    call = whole_call(trace, [loss.prediction], loss.op.n, calls)
    return call if call is not None and call.outputs and call.outputs[0].shape[:1] == shape[:1] else None


def _labelled(trace: Trace, op: Op, rows: set[int], labels: set[int]) -> bool:
    """Whether the labels of just these rows, of several classes, are taken too: they meet the labels of the loss."""
    for mate, taken in _same(trace, op):
        if mate.inputs[0].storage in labels and taken == rows:
            used = (each for out in mate.out for user in trace.users(out, mate.n) for each in user.inputs)
            own = [each.values for each in used if each.number == mate.out[0].number and each.values is not None]
            if own and own[0].low < own[0].high:
                return True
    return False


def _same(trace: Trace, op: Op) -> Iterator[tuple[Op, set[int]]]:
    """The calls that take rows close to another one, on its line or the next ones."""
    near = (each for each in trace.between(op.n - 20, op.n + 20, Op) if each.name == op.name and each is not op)
    for each in near:
        where = each.words.get("places")
        if where is not None and where.held is not None and each.inputs:
            yield each, set(where.held)
        elif where is None and op.words.get("places") is None and each.args[1:] == op.args[1:] and each.inputs:
            index = each.args[1]
            if isinstance(index, slice) and each.inputs[0].shape:
                yield each, set(range(each.inputs[0].shape[0])[index])


def all_scored(trace: Trace) -> Iterator[All]:
    """A score of all rows where training takes some and no score takes others alone, though the program has a mask."""
    learned, scored = picked(trace)
    if learned is None or len(learned.rows) >= learned.whole or any(each.rows - learned.rows for each in scored):
        return
    calls = {out.number: call for call in trace.of(Forward) if call.depth == 0 for out in call.outputs}
    for op in trace.ops("eq"):
        if len(op.inputs) != 2 or any(each.shape != (learned.whole,) for each in op.inputs):
            continue
        call = next((one for each in op.inputs for one in [whole_call(trace, [each], op.n, calls)] if one), None)
        if call is None or call.inputs[0].storage != learned.data or not _read(trace, op):
            continue
        one = Picked(op, learned.data, set(range(learned.whole)), set(), learned.whole)
        spared = left(trace, learned, one, [*scored, one], False)
        if spared:
            told = f"the training loss takes {len(learned.rows)} rows of the outputs by number, this score all"
            yield All(op.site, learned.whole, f"{told}{spared}")
            return


def _read(trace: Trace, op: Op) -> bool:
    """Whether hits are counted and read as a number."""
    return any(_counted(trace, out, op.n) for out in op.out)


def _counted(trace: Trace, seen: Seen, after: int) -> bool:
    ops, numbers = reaches(trace, [seen], after, 8)
    read = trace.once(readings)
    return any(op.name in ("sum", "mean") for op in ops) and any(each in read for each in numbers)
