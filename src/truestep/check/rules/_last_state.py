"""The last step of sequences that were filled up behind their ends is read for the last of each of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from truestep.check.events import Op
from truestep.check.looks import Seen
from truestep.check.rules._samples import RECURRENT, batch_axis
from truestep.check.site import Site
from truestep.check.trace import Trace

OFTEN, SHORT = 3, 0.5  # calls; the share of sequences that end before the step that is read
DEEP = 12  # calls from the padding to the layer: an embedding, a projection, dropout, normalisation
Place = tuple[str, int]


def last_states(trace: Trace) -> Iterator[tuple[Site, str]]:
    """Lines that read what a recurrent layer says behind the ends of most sequences, with the numbers of the first."""
    found: dict[Place, list[tuple[Site, str]]] = defaultdict(list)
    whole: set[Place] = set()  # of lines at which some batch ended together, by its length
    unseen: dict[Place, int] = defaultdict(int)  # where what made the batch was not looked at
    for op in trace.ops("__getitem__", "select"):
        layer = trace.maker(op.inputs[0], op.n) if op.grad and op.inputs and op.inputs[0].needs_grad else None
        if layer is None or layer.name not in RECURRENT or not _last(op, 1 - batch_axis(layer)):
            continue
        lengths = _lengths(trace, layer.inputs[0], layer.n)
        early = sum(each < max(lengths) for each in lengths)
        if not lengths:
            unseen[op.site.place] += 1
        elif early < SHORT * len(lengths):
            whole.add(op.site.place)
        else:
            told = f"{early} of {len(lengths)} sequences, {min(lengths)} to {max(lengths)} long, had ended before"
            found[op.site.place].append((op.site, f"in the first call {told} the step that is read for all of them"))
    for place, calls in found.items():
        if len(calls) >= max(OFTEN, unseen[place] // 4) and place not in whole:
            yield calls[0]


def _last(op: Op, time: int) -> bool:
    """Whether the last step alone is taken of three dimensions."""
    shape = op.inputs[0].shape
    if len(shape) != 3:
        return False
    if op.name == "select":
        return op.args[1:] in ((time, -1), (time, shape[time] - 1))
    index = op.args[1] if isinstance(op.args[1], tuple) else (op.args[1],)
    at = index[time] if len(index) > time and "ellipsis" not in index[:time] else None
    return type(at) is int and at in (-1, shape[time] - 1)


def _lengths(trace: Trace, given: Seen, before: int) -> list[int]:
    """How long the sequences were that `pad_sequence` filled up behind their ends, where a layer's input came of it."""
    for _, op in trace.back([given], before, DEEP):
        if op is not None and op.name == "pad_sequence":
            behind = op.arg(3, "padding_side", "right") == "right"
            return [each.shape[0] for each in op.inputs if each.shape] if behind else []
    return []
