"""States of a recurrent layer that go from one batch to the next though the batches are drawn in a random order."""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.events import Batch, LoaderMade, Op
from truestep.check.looks import Seen
from truestep.check.rules._chains import SHAPES
from truestep.check.site import Site
from truestep.check.trace import Trace

RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu")
KEEPS = SHAPES | {"detach", "data", "stack", "cat"}
OFTEN, DEEP = 3, 20


def carried(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """Lines whose recurrent layer begins each batch with the state that the batch before left, in training."""
    drawn = _drawn(trace)
    lines: dict[tuple[str, int], dict[int, tuple[Op, Op]]] = {}
    for op in trace.ops(*RECURRENT):
        state = next(iter(_tensors(op.args[1])), None) if op.grad and len(op.args) > 1 else None
        left = None if state is None else _left(trace, state, op)
        batch = None if left is None or left.update >= op.update else _batch(trace, op, drawn)
        if left is not None and batch is not None and _batch(trace, left, drawn) not in (batch, None):
            lines.setdefault(op.site.place, {}).setdefault(op.update, (op, left))
    for seen in lines.values():
        if len(seen) >= OFTEN:
            op, left = next(iter(seen.values()))
            yield (
                op.site, "each batch begins with the state that another one left",
                f"at {len(seen)} updates looked at {op.name} was given what it gave on line {left.site.line} for the "
                "batch before, and the batches are drawn in a random order: sequence for sequence the state is that of "
                "another one",
            )  # fmt: skip
            return


def _tensors(value: object) -> list[Seen]:
    if isinstance(value, Seen):
        return [value]
    return [each for each in value if isinstance(each, Seen)] if isinstance(value, tuple) else []


def _left(trace: Trace, state: Seen, op: Op) -> Op | None:
    """The recurrent call whose state this is."""
    before = op.n
    for _ in range(DEEP):
        made = trace.maker(state, before)
        if made is None or made.name in RECURRENT:
            return made
        if made.name not in KEEPS or not made.inputs:
            return None
        state, before = made.inputs[0], made.n
    return None


def _drawn(trace: Trace) -> set[int]:
    """The tensors that loaders hand out in a random order."""
    loaders = {made.loader for made in trace.of(LoaderMade) if made.sampler == "RandomSampler"}
    return {tensor.number for batch in trace.of(Batch) if batch.loader in loaders for tensor in batch.tensors}


def _batch(trace: Trace, op: Op, drawn: set[int]) -> int | None:
    """What a call's sequences were drawn by: the batch of a loader, or the row numbers that were taken from a random
    order. Windows of one batch have the same.
    """
    for seen, made in trace.back([op.inputs[0]], op.n, DEEP):
        if seen.number in drawn:
            return seen.number
        if made is not None and made.name in ("__getitem__", "index_select") and len(made.inputs) > 1:
            rows = made.inputs[1]
            if any(each.name == "randperm" for each in trace.chain(rows, made.n)):
                return rows.number
    return None
