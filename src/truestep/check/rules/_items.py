"""Tensors of a plain list that are written anew at each visit, with no loader between: the next visit finds them so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from truestep.check.events import Op
from truestep.check.mode import DRAWS
from truestep.check.rules._batches import split
from truestep.check.trace import Trace

STIRS = ("add_", "sub_", "mul_", "div_", "pow_", "__iadd__", "__isub__", "__imul__", "__itruediv__", "masked_fill_")
"""Writes that move further at each visit; one that clamps or rounds changes nothing the second time."""
ITEMS, FEW = 5, 3
SHARE = 0.8
FAR = 8


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The line that writes, the first and the last write of one item, and how many items were visited again, of all."""

    first: Op
    last: Op
    again: int
    held: int


def listed(trace: Trace) -> Iterator[Rewritten]:
    """Lines that write plain numbers or drawn ones into items that a model is then trained on, one by one.

    At a visit an item is as the last write at the visit before left it, so nobody fills it in between.
    """
    lines: dict[tuple[str, int], dict[int, list[Op]]] = defaultdict(lambda: defaultdict(list))
    odd = set[int]()  # what is written in another way too, as by a rule of learning
    for op in trace.of(Op):
        first = op.inputs[0] if op.inputs else None
        if first is None or not _writes(op.name) or not first.storage:
            continue
        if first.needs_grad or not first.leaf or not first.shape or op.within or not _of_itself(trace, op):
            odd.add(first.storage)
        elif op.name in STIRS or op.name == "__setitem__":
            lines[op.site.place][first.storage].append(op)
    fed = _fed(trace) if lines else {}
    for held in lines.values():
        again = [ops for storage, ops in held.items() if storage not in odd and _grew(ops, fed.get(storage, set()))]
        often = all(len({op.update for op in ops}) >= FEW for ops in again)
        if len(again) >= (FEW if often else ITEMS) and len(again) >= SHARE * len(held):
            yield Rewritten(again[0][0], again[0][-1], len(again), len(held))


def _writes(name: str) -> bool:
    """Whether a call of this name writes into its first tensor."""
    return name in STIRS or name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))


def _of_itself(trace: Trace, op: Op) -> bool:
    """Whether a write brings plain numbers, or drawn ones: no result of the program's own."""
    others = op.inputs[1:]
    if op.name in ("__setitem__", "masked_fill_"):
        mask, value = op.args[1], op.args[-1]
        named = getattr(mask, "dtype", "") == "bool" and isinstance(value, bool | int | float)
        return len(others) == 1 and named and _drawn(trace, op)
    plain = any(isinstance(each, int | float) and not isinstance(each, bool) for each in op.args[1:])
    return (not others and plain) or (len(others) == 1 and _drawn(trace, op))


def _drawn(trace: Trace, op: Op) -> bool:
    """Whether what is written was drawn for this item, and made of nothing else."""
    shape = op.inputs[0].shape
    behind = list(trace.back(op.inputs[1:], op.n, 12))
    draws = [made for _, made in behind if made is not None and made.name in DRAWS]
    computed = any(seen.needs_grad or (made is not None and made.name == "grad") for seen, made in behind)
    return not computed and any(out.shape == shape for made in draws for out in made.out)


def _fed(trace: Trace) -> dict[int, set[int]]:
    """The memory of what models were trained on, as it is or reshaped, each with the updates."""
    found: dict[int, set[int]] = defaultdict(set)
    for call in split(trace)[0]:
        for seen, _ in trace.back(call.inputs, call.n, FAR, along=lambda op, each: each.leaf):
            found[seen.storage].add(call.update)
    return found


def _grew(ops: list[Op], fed: set[int]) -> bool:
    """Whether an item was written at several visits, each time as the visit before had left it, and trained on."""
    start = ops[0].inputs[0].version
    known = [op for place, op in enumerate(ops) if op.inputs[0].version == start + place]  # up to where looks are rare
    visits = {op.update for op in known}
    return len(visits) > 1 and visits <= fed and 2 * len(known) > len(ops)
