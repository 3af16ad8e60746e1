"""Target networks that are tensors, not modules, and stand in the memory of the trained weights: snapshots uncopied."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from truestep.check.changes import Backward, Step
from truestep.check.events import Names, Op
from truestep.check.rules._batches import ends
from truestep.check.rules._chains import SHAPES
from truestep.check.site import Site
from truestep.check.trace import Trace

PRODUCTS = {"linear", "matmul", "mm", "addmm", "bmm", "einsum", "conv1d", "conv2d", "conv3d", "embedding"}
TARGETS = {"target", "teacher", "ema", "slow", "old", "snapshot"}
OFTEN, FAR = 4, 200


@dataclass(slots=True)
class _Alias:
    """A tensor without a gradient in the memory of a trained one: the calls that it went into, one at each update."""

    storage: int
    calls: dict[int, Op] = field(default_factory=dict)


def aliased(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """Weights that were detached and not copied, kept over updates, and give what the others are trained towards.

    Detached anew for each target they are the network's own on purpose. Those that are kept for many updates, and then
    taken anew or called a target, were to stay as they were.
    """
    trained = _trained(trace)
    kept = _kept(trace, trained) if trained else {}
    used: dict[int, set[int]] = defaultdict(set)
    for alias in kept.values():
        for update in alias.calls:
            used[update].add(alias.storage)
    passes = trace.backwards() if kept else []
    for number, alias in kept.items():
        calls = list(alias.calls.values())
        moves = _moves(trace, trained[alias.storage], calls[0].n, calls[-1].n)
        if moves < OFTEN - 1 or not _meant(trace, kept, number):
            continue
        if all(_gives_targets(trace, op, used[update], passes) for update, op in alias.calls.items()):
            made = next((op for op in trace.of(Op) if any(out.number == number for out in op.out)), calls[0])
            yield (
                made.site,
                "the weights of the target share the memory of those that are trained",
                f"what was taken of {trace.name(trained[alias.storage])} and all others here is no copy: it gave "
                f"targets at {len(calls)} updates looked at, and {moves} steps between moved it along",
            )
            return


def _trained(trace: Trace) -> dict[int, int]:
    """The memory of each tensor that an optimizer moved, with its number; where several share it, it tells nothing."""
    moved = {one.number for step in trace.of(Step) for one in step.moved if one.change > 0}
    leaves: dict[int, set[int]] = defaultdict(set)
    for event in trace.of(Backward):
        for leaf in event.leaves:
            leaves[leaf.storage].add(leaf.number)
    alone = {storage: min(numbers) for storage, numbers in leaves.items() if storage and len(numbers) == 1}
    return {storage: number for storage, number in alone.items() if number in moved}


def _kept(trace: Trace, trained: dict[int, int]) -> dict[int, _Alias]:
    """The tensors in their memory that need no gradient and went into products, or into what follows, at many updates;
    none that was written into, as updates by hand do.
    """
    found: dict[int, _Alias] = {}
    for op in trace.of(Op):
        for place, each in enumerate(op.inputs):
            if each.needs_grad or trained.get(each.storage, each.number) == each.number:
                continue
            written = place == 0 and (op.name.endswith("_") or op.name in ("__setitem__", "data="))
            if not written and op.out and not any(out.needs_grad for out in op.out):
                found.setdefault(each.number, _Alias(each.storage)).calls.setdefault(op.update, op)
            elif written:
                found.setdefault(each.number, _Alias(0)).storage = 0
    return {number: alias for number, alias in found.items() if alias.storage and len(alias.calls) >= OFTEN}


def _gives_targets(trace: Trace, op: Op, used: set[int], passes: list[Backward]) -> bool:
    """Whether a call leads to what the same weights, all of them, are trained towards in the pass that follows."""
    place = bisect_right(passes, op.n, key=lambda event: event.n)
    back = passes[place] if place < len(passes) else None
    if op.name not in PRODUCTS:  # the weights may be turned before
        users = (user for user in trace.users(op.out[0], op.n) if user.update == op.update)
        op = next((user for user in users if op.name in SHAPES and user.name in PRODUCTS), op)
    if op.name not in PRODUCTS or back is None or back.update != op.update or not back.leaves:
        return False
    whole = {leaf.storage for leaf in back.leaves} <= used
    return whole and ends(trace, op.out[0], op.n, FAR)[1]


def _moves(trace: Trace, number: int, first: int, last: int) -> int:
    return sum(
        first < step.n < last and any(one.number == number and one.change > 0 for one in step.moved)
        for step in trace.of(Step)
    )


def _meant(trace: Trace, kept: dict[int, _Alias], number: int) -> bool:
    """Whether this was to stay behind: it was taken anew after many updates, or has the name of a target."""
    own = kept[number]
    spans = [(min(each.calls), max(each.calls)) for each in kept.values() if each.storage == own.storage]
    if any(one[1] < other[0] for one in spans for other in spans):
        return True
    for event in trace.of(Names):
        for name, value in event.held.items():
            named = TARGETS & set(name.rpartition(".")[2].partition("[")[0].lower().split("_"))
            if named and isinstance(value, tuple) and len(value) > 2 and value[0] in ("dict", "list", "tensor"):
                held = set(value[-1] or ()) if value[0] != "tensor" else {value[-1]} if value[1] == number else set()
                if own.storage in held:
                    return True
    return False
