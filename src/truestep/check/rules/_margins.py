"""Losses with a margin whose targets are to be -1 and 1, and are 0 and 1: a target of 0 asks for nothing."""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.events import Batch, Op
from truestep.check.finding import Level
from truestep.check.looks import Seen, Values
from truestep.check.rules._chains import SHAPES
from truestep.check.site import Site
from truestep.check.trace import Trace

SIGNED = {"soft_margin_loss": 1, "hinge_embedding_loss": 1, "cosine_embedding_loss": 2, "margin_ranking_loss": 2}
"""Losses whose targets are -1 and 1, and the place of these."""
CUTS = ("clamp", "relu", "clamp_min", "relu_", "clamp_", "clamp_min_", "maximum", "max")
TAKES = SHAPES | {"index_select", "int", "bool", "cpu", "detach"}
OFTEN = 3
Told = tuple[Site, str, str, Level]


def unsigned(trace: Trace) -> Iterator[Told]:
    """The lines of losses with targets 0 and 1 where -1 and 1 belong."""
    lines: dict[tuple[str, int], list[tuple[Op, Values]]] = {}
    known = _known(trace)
    for op in trace.ops(*SIGNED):
        target = op.arg(SIGNED[op.name], "target")
        if isinstance(target, Seen) and target.values is not None and op.inputs[0].needs_grad:
            lines.setdefault(op.site.place, []).append((op, target.values))
    for op in trace.ops("sub"):
        told = _hinge(trace, op, known)
        if told is not None:
            lines.setdefault(op.site.place, []).append((op, told))
    for held in lines.values():
        low, high = min(values.low for _, values in held), max(values.high for _, values in held)
        if len(held) < OFTEN or (low, high) != (0, 1) or not all(values.whole for _, values in held):
            continue
        op = held[0][0]
        name = op.name if op.name in SIGNED else "a hinge loss, max(0, 1 - target * output),"
        yield (
            op.site, "a loss with a margin has targets 0 and 1 where it takes -1 and 1",
            f"in {len(held)} calls the targets were 0 and 1, never -1; where the target is 0 {name} does not pull the "
            "output down: it is as good as no target",
            "warning" if op.name == "margin_ranking_loss" else "error",
        )  # fmt: skip


def _hinge(trace: Trace, op: Op, known: dict[int, Values]) -> Values | None:
    """The targets of 1 - target * output, where that is cut off below zero."""
    if len(op.inputs) != 1 or op.args[0] not in (1, 1.0) or not op.grad or not op.inputs[0].needs_grad:
        return None
    product = trace.maker(op.inputs[0], op.n)
    if product is None or product.name not in ("mul", "__rmul__") or len(product.inputs) != 2:
        return None
    cut = [user for out in op.out for user in trace.users(out, op.n) if user.name in CUTS]
    bare = [each for each in product.inputs if not each.needs_grad]
    zero = all(_below(user) in (0, 0.0) for user in cut)
    return _values(trace, bare[0], product.n, known) if cut and zero and len(bare) == 1 else None


def _below(cut: Op) -> object:
    """Where a call cuts off below; None where that is not known."""
    if cut.name.startswith("relu"):
        return 0
    given = cut.arg(1, "min")
    return given if not isinstance(given, Seen) and cut.arg(2, "max") is None else None


def _values(trace: Trace, seen: Seen, before: int, known: dict[int, Values]) -> Values | None:
    """The numbers of a tensor, or of the one that it is a part of."""
    for _ in range(8):
        if seen.values is not None or seen.number in known:
            return seen.values or known[seen.number]
        made = trace.maker(seen, before)
        if made is not None and made.name == "randint" and made.args[:2] == (0, 2):
            return Values(0, 1, 0.5, True, True)
        if made is None or made.name not in TAKES or not made.inputs:
            return None
        seen, before = made.inputs[0], made.n
    return None


def _known(trace: Trace) -> dict[int, Values]:
    """By its number, what a tensor held that some call or loader showed; nothing for one that changed."""
    found: dict[int, Values] = {}
    changed: set[int] = set()
    shown = [each for op in trace.ops("eq", "ne", "gt", "lt", "ge", "le", "sub", "mean", "sum") for each in
             (*op.inputs, *op.out)]  # fmt: skip
    for each in (*shown, *(tensor for batch in trace.of(Batch) for tensor in batch.tensors)):
        if each.values is not None:
            if found.get(each.number, each.values) != each.values:
                changed.add(each.number)
            found[each.number] = each.values
    return {number: values for number, values in found.items() if number not in changed}
