"""The stored data are changed by the way in which they are prepared.

What: an item, a slice or an array from numpy is a view of the stored data, and what prepares it (normalisation, noise,
a flip) writes into it. The next epoch prepares what is prepared already.

Why: the data drift further with each visit, and labels stay behind.

Evidence: memory that is older than the loop was written in place in several epochs, by arithmetic, with what was
computed from it, or where a drawn mask is true, and the changed numbers went into the model or the batch; or the same
place in an array of numpy's held other numbers each time that it was visited; or the first batch of several passes
changed rows of what the data set stores that had been changed before; or plain or drawn numbers are written into each
tensor of a list, at each visit on top of the visit before.

False alarms: a part that is always set to the same number changes nothing after the first time, nor does a cache that
is filled when an item is first asked for. That, states, buffers and weights that are updated in place, and memory that
is new for each item, are no finding. A buffer of numpy's that is filled anew looks alike where there is no loader:
there is advice only.

Mend: `sample = (sample - mean) / std` makes a new tensor; `.clone()` or `.copy()` what is to be changed.

Wrong:
    sample = self.values[index]
    sample -= self.mean

Right:
    sample = self.values[index] - self.mean
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator

from truestep.check.events import Batch, LoaderStart, Op
from truestep.check.finding import Finding, Rule
from truestep.check.looks import Seen
from truestep.check.mode import DRAWS
from truestep.check.rules import found
from truestep.check.rules._batches import split
from truestep.check.rules._items import listed
from truestep.check.rules._rewritten import rewritten
from truestep.check.trace import Trace

RULE = Rule("TS477", "changed_in_place", "the stored data are changed in place", "error", "data")
WRITES = ("add_", "sub_", "mul_", "div_", "clamp_", "pow_", "neg_", "__iadd__", "__isub__", "__imul__", "__itruediv__",
          "masked_fill_", "sqrt_", "log_", "exp_", "abs_", "round_")  # fmt: skip
VIEWS = ("__getitem__", "select", "narrow", "view", "reshape", "squeeze", "unsqueeze", "data", "detach", "unbind", "T",
         "split", "chunk", "transpose", "permute", "flatten")  # fmt: skip
WHY = "each epoch prepares what the epochs before have prepared already, and the data drift"
MEND = "make a new tensor, sample = (sample - mean) / std, or change a clone"


def look(trace: Trace) -> Iterator[Finding]:
    """Look for writes into views of older data, then for arrays that change under their visitors."""
    told = [*_tensors(trace), *_items(trace), *_arrays(trace)]
    told = told or [*_listed(trace)]
    yield from told
    if all(each.level == "advice" for each in told):
        for site, message, evidence in rewritten(trace):
            yield found(RULE, site, message, evidence, WHY, MEND)


def _tensors(trace: Trace) -> Iterator[Finding]:
    trained, _ = split(trace)
    fed = {each.storage for call in trained for each in call.inputs}
    fetching = _fetching(trace)
    weights = {one for facts in trace.modules.values() for one in (*facts.storages.values(), *facts.buffers.values())}
    writes: dict[tuple[int, tuple[str, int]], list[Op]] = {}
    for op in trace.ops(*WRITES, "__setitem__"):
        first = op.inputs[0] if op.inputs else None
        if first is None or first.needs_grad or op.within or not first.storage or first.storage in weights:
            continue
        if not first.shape:  # a single number for each item is an account of it: how often it was asked for
            continue
        if op.name == "masked_fill_" and not (len(op.inputs) == 2 and _drawn(trace, op.inputs[1], op.n)):
            continue
        view = _view(trace, op)
        if view is None or view.name not in VIEWS or not view.inputs or view.inputs[0].storage != first.storage:
            continue
        if not view.inputs[0].leaf or view.inputs[0].shape == first.shape:
            continue
        told = op.name != "__setitem__" or _holes(trace, op) or _mixes(trace, op)
        if fetching(op) or (first.storage in fed and told):
            writes.setdefault((first.storage, op.site.place), []).append(op)
    for ops in writes.values():
        views = [(op.inputs[0].shape, op.update) for op in ops]
        rows = max(op.inputs[0].version for op in ops) - ops[0].inputs[0].version
        updates = {update for _, update in views}
        if len(updates) >= 3 and rows >= 3 and _again(trace, ops):
            yield found(
                RULE, ops[0].site, "what is prepared for the model is written into the stored data",
                f"{ops[0].name} changed views of one tensor {len(ops)} times over {max(updates)} updates; its version "
                f"went from {ops[0].inputs[0].version} to {ops[-1].inputs[0].version}",
                WHY, MEND,
            )  # fmt: skip
            return


def _items(trace: Trace) -> Iterator[Finding]:
    """Tensors that a list holds one by one, each written anew at each visit of a loader."""
    fetching = _fetching(trace)
    lines: dict[tuple[str, int], dict[int, list[Op]]] = {}
    for op in trace.ops(*WRITES):
        first = op.inputs[0] if op.inputs else None
        if first is None or first.needs_grad or not first.leaf or not first.shape or op.within:
            continue
        if fetching(op):
            lines.setdefault(op.site.place, {}).setdefault(first.number, []).append(op)
    for held in lines.values():
        again = [ops for ops in held.values() if len({op.update for op in ops}) > 1]
        if len(again) >= 5 and all(ops[-1].inputs[0].version > ops[0].inputs[0].version for ops in again):
            op, last = again[0][0], again[0][-1]
            yield found(
                RULE, op.site, "what is prepared for the model is written into the stored items",
                f"{op.name} changed each of {len(again)} tensors at more than one visit, of {len(held)} that it was "
                f"seen to change; one of them after {op.update} and after {last.update} updates",
                WHY, MEND,
            )  # fmt: skip
            return


def _listed(trace: Trace) -> Iterator[Finding]:
    """The same without a loader."""
    for one in listed(trace):
        yield found(
            RULE, one.first.site, "what is prepared for the model is written into the stored items",
            f"{one.first.name} changed each of {one.again} tensors at more than one visit, of {one.held} that it was "
            f"seen to change; one of them after {one.first.update} and after {one.last.update} updates, and nothing "
            "else wrote into it",
            WHY, MEND,
        )  # fmt: skip
        return


def _fetching(trace: Trace) -> Callable[[Op], bool]:
    """Whether a call lies in what a loader does to make its next batch, and not in the body of the loop."""
    batches, starts = trace.of(Batch), {start.run: start.n for start in trace.of(LoaderStart)}
    places = [batch.n for batch in batches]

    def made(op: Op) -> bool:
        place = bisect_left(places, op.n)
        following = batches[place] if place < len(batches) else None
        began = following is not None and starts.get(following.run, op.n) < op.n
        return following is not None and began and following.site.place in op.site.callers

    return made


def _again(trace: Trace, ops: list[Op]) -> bool:
    """Whether rows that were written are prepared again, or taken as the data of the next epoch."""
    visits: dict[object, set[int]] = {}
    parts: dict[object, set[str]] = {}
    for op in ops:
        view = _view(trace, op)
        index = () if view is None else (*view.args[1:], _part(view, op.inputs[0]))
        visits.setdefault(str(index), set()).add(op.update)
        parts.setdefault(str(index), set()).add(str(op.args[1:]))
    if all(op.name == "masked_fill_" or _holes(trace, op) for op in ops):  # other places at each visit
        return sum(len(updates) > 1 for updates in visits.values()) >= 3
    set_to = ops[0].name == "__setitem__" and not all(_mixes(trace, op) for op in ops)
    if set_to and all(_from_itself(trace, op) for op in ops):
        return sum(len(updates) > 1 for updates in visits.values()) >= 3
    if set_to:  # a part that is set to the same number once more stays as it is
        moved = [each for each, where in parts.items() if len(where) > 1 and len(visits[each]) > 1]
        return len(moved) >= 3 and all(len(op.inputs) == 1 for op in ops)
    if sum(len(updates) > 1 for updates in visits.values()) >= 3:
        return True
    view = _view(trace, ops[0])
    later = [] if view is None else trace.users(view.inputs[0], ops[-1].n)
    return any(
        op.name == "index_select" or (op.name == "__getitem__" and isinstance(op.arg(1, ""), Seen)) for op in later
    )


def _part(view: Op, seen: Seen) -> int:
    """Which of the tensors that a call put out this is."""
    return next((place for place, out in enumerate(view.out) if out.number == seen.number), 0)


def _drawn(trace: Trace, mask: Seen, before: int) -> bool:
    """Whether a mask was made of random numbers, one for each of its places: other ones at each visit."""
    return any(op.name in DRAWS and op.out and op.out[0].shape == mask.shape for op in trace.chain(mask, before))


def _holes(trace: Trace, op: Op) -> bool:
    """Whether a number is written into places that were drawn."""
    if op.name != "__setitem__" or not isinstance(op.args[-1], bool | int | float):
        return False
    return isinstance(op.args[1], Seen) and op.args[1].dtype == "bool" and _drawn(trace, op.args[1], op.n)


def _from_itself(trace: Trace, op: Op) -> bool:
    """Whether what is written was computed from the memory that it is written into."""
    value = op.args[-1]
    if not isinstance(value, Seen) or value.storage == op.inputs[0].storage:
        return False
    return any(each.storage == op.inputs[0].storage for made in trace.chain(value, op.n) for each in made.inputs)


def _mixes(trace: Trace, op: Op) -> bool:
    """Whether parts of other rows of a batch are written over its own: a patch of a partner's picture, say."""
    made = trace.maker(op.args[-1], op.n) if isinstance(op.args[-1], Seen) and _from_itself(trace, op) else None
    index = made.args[1] if made is not None and made.name == "__getitem__" else None
    return isinstance(index[0] if isinstance(index, tuple) and index else index, Seen)


def _view(trace: Trace, op: Op) -> Op | None:
    """The op that made the view which another one writes into."""
    first = op.inputs[0]
    view = trace.maker(first, op.n)
    while view is not None and view.name in WRITES and view.inputs:
        view = trace.maker(first, view.n)
    return view


def _arrays(trace: Trace) -> Iterator[Finding]:
    """Places in an array of numpy's that hold other numbers at each visit, of a loader or of a loop by hand."""
    places: dict[tuple[int, bool], dict[int, list[tuple[int, ...]]]] = {}
    sites: dict[int, Op] = {}
    passes = [(start.n, next((batch.n for batch in reversed(trace.of(Batch)) if batch.run == start.run), start.n))
              for start in trace.of(LoaderStart)]  # fmt: skip
    for op in trace.ops("from_numpy"):
        base, offset, whole = op.words["memory"]
        if base and op.out[0].rows and whole > 8 * len(op.out[0].rows):
            fetched = any(start < op.n < end for start, end in passes)
            places.setdefault((base, fetched), {}).setdefault(offset, []).append(op.out[0].rows)
            sites.setdefault(base, op)
    for (base, fetched), held in places.items():
        again = [visits for visits in held.values() if len(visits) > 1]
        changed = [visits for visits in again if len(set(visits)) > 1]
        always = [visits for visits in again if len(set(visits)) == len(visits) > 2]
        op = sites[base]
        if len(held) >= 8 and len(changed) >= 5 and (fetched or (len(always) == len(held) and op.grad)):
            yield found(
                RULE, op.site, "the stored array is changed by what prepares its items",
                f"{len(changed)} of {len(again)} places of one array that were visited again held other numbers than "
                "at the visit before, and each place belongs to one item",
                WHY, "change a copy: sample = self.data[i].copy()", level=None if fetched else "advice",
            )  # fmt: skip
            return
