"""The permutations of all rows that lie behind a tensor."""

from __future__ import annotations

from truestep.check.events import Batch, LoaderMade, Op
from truestep.check.looks import Seen
from truestep.check.trace import Trace


def orders(trace: Trace, tensor: Seen, before: int) -> dict[int, Op]:
    """The permutations of all rows that lie behind a tensor: the op that made each."""
    found: dict[int, Op] = {}
    waiting, seen = [(tensor, before)], set[int]()
    while waiting and len(seen) < 80:
        one, limit = waiting.pop()
        op = trace.maker(one, limit)
        op = op or _handed(trace, one)
        if op is None or op.n in seen:
            continue
        seen.add(op.n)
        order = op.words.get("places")
        if op.name == "randperm":
            found[op.out[0].number] = op
            continue
        whole = order is not None and order.shuffles and order.size == op.inputs[0].shape[0]
        if order is not None and whole and not (len(op.inputs) > 1 and _drawn(trace, op.inputs[1], op.n)):
            found[-order.mark] = op  # no number of a tensor
        waiting += [(each, op.n) for each in op.inputs if not each.needs_grad]
    return found


def _drawn(trace: Trace, index: Seen, before: int) -> bool:
    """Whether an index was drawn as a permutation, and is known by that."""
    return any(op.name == "randperm" for op in trace.chain(index, before))


def _handed(trace: Trace, tensor: Seen) -> Op | None:
    """The op that put in order what a loader handed out: the rows of the batch are its rows, place by place."""
    batch, held = trace.once(_by_number).get(tensor.number, (None, tensor))
    if batch is None or not held.rows or not batch.index or len(batch.index) != len(held.rows):
        return None
    made = next((each for each in trace.of(LoaderMade) if each.loader == batch.loader), None)
    index = [each for each in batch.index if isinstance(each, int)]
    if made is not None and made.chosen is not None:
        index = [made.chosen[each] for each in index if each < len(made.chosen)]
    for op in trace.ops("__getitem__", "index_select"):
        rows = op.out[0].rows if op.out and isinstance(op.arg(-1, ""), Seen) else ()
        if len(rows) > max(index, default=len(rows)) and tuple(rows[each] for each in index) == held.rows:
            return op
    return None


def _by_number(trace: Trace) -> dict[int, tuple[Batch, Seen]]:
    """Each tensor that a loader handed out, in its batch."""
    return {held.number: (each, held) for each in reversed(trace.of(Batch)) for held in reversed(each.tensors)}
