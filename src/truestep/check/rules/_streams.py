"""A stream of tokens that is cut into columns, and read across them: neighbours in time are strangers in the text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from truestep.check.events import Op
from truestep.check.looks import Seen
from truestep.check.rules._samples import ATTENTION, LARGEST, RECURRENT, batch_axis, follow
from truestep.check.site import Site
from truestep.check.trace import Trace

PASSES = 4
DEEP = 40
WHOLE = ("int64", "int32", "int16", "uint8")


def across(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """Layers that read steps which lie as far apart in the stream as the batch is wide, beside neighbours."""
    layers = [op for op in trace.ops(*RECURRENT, ATTENTION) if op.grad and op.inputs and len(op.inputs[0].shape) == 3]
    for layer in layers[:PASSES]:
        way = _way(trace, layer)
        labels = _labels(way, layer.inputs[0]) if way else None
        if labels is None:
            continue
        time = 1 - (batch_axis(layer) if layer.name in RECURRENT else 1)
        steps, beside = (labels[..., 0].diff(dim=axis) for axis in (time, 1 - time))
        if not steps.numel() or not beside.numel() or not bool((beside == 1).all()):
            continue
        apart = int(steps.flatten()[0])
        if apart > 1 and bool((steps == apart).all()):
            yield (
                way[0].site,
                f"{way[0].name} to {way[0].out[0].shape} lays a stream of tokens across the batch: what the "
                "layer reads as one step after the other are no neighbours",
                f"{layer.name} takes dimension {time} of {layer.inputs[0].shape} for time, and neighbours along it are "
                f"{apart} tokens apart in the stream; neighbours in the stream lie beside each other in the batch",
            )
            return


def _way(trace: Trace, layer: Op) -> Sequence[Op]:
    """The calls from the one that made columns of a stream to a layer, in order; none where there is no such stream."""
    found: list[Op] = []
    tensor, before = layer.inputs[0], layer.n
    for _ in range(DEEP):
        op = trace.maker(tensor, before)
        if op is None or not op.inputs:
            return ()
        found.append(op)
        given = op.inputs[0]
        if len(given.shape) == 1 and len(op.out[0].shape) == 2 and given.dtype in WHOLE and not given.needs_grad:
            return found[::-1] if given.shape[0] <= LARGEST and not _made_of_columns(trace, given, op.n) else ()
        tensor, before = given, op.n
    return ()


def _made_of_columns(trace: Trace, stream: Seen, before: int) -> bool:
    """Whether a stream was a table before: flattened step by step it may well lie across the batch."""
    return any(len(each.shape) > 1 for each, _ in trace.back([stream], before, DEEP))


def _labels(way: Sequence[Op], last: Seen) -> Tensor | None:
    """The place in the stream of each element that a layer is given."""
    stream = way[0].inputs[0]
    known = {stream.number: torch.arange(stream.shape[0], device="cpu")}
    for op in way:
        for out, labels in zip(op.out, follow(op, known), strict=True):
            if labels is not None:
                known[out.number] = labels
    return known.get(last.number)
