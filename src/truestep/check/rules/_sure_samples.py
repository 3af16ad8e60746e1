"""Whether a dimension counts samples beyond doubt: one target each, drawn by an index, or padded along the rows."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from truestep.check.events import Batch, Op
from truestep.check.looks import Seen
from truestep.check.picks import Places
from truestep.check.rules._chains import SOUND, root
from truestep.check.rules._padded_rows import beside_padding
from truestep.check.rules._samples import JOINS
from truestep.check.trace import Trace

COPIES = {"expand", "expand_as", "repeat"}
THROUGH = SOUND - COPIES | {"embedding", "linear", "add", "layer_norm"}
FAR = 30


def sure(trace: Trace, op: Op, size: int, target: Seen, known: Mapping[int, Any]) -> bool:
    """Whether a call reads `size` samples; `known` are the tensors whose samples were followed up to it.

    A model may mask, scale or join what it was given before it reads it: the data lie somewhere behind its input.
    """
    if op.site.place in trace.once(beside_padding) or target.shape in ((size,), (size, 1)):
        return True
    drawn = trace.once(drawn_rows)
    way = trace.back(op.inputs[:1], op.n, FAR, along=lambda made, each: each.number in known and _keeps(made))
    behind = [(seen, made) for seen, made in way if seen.shape]
    base = root(trace, op.inputs[0], op.n, THROUGH)
    behind.append((base, trace.maker(base, op.n)))
    return any(seen.number in drawn or (made is not None and picked(made, size)) for seen, made in behind)


def _keeps(op: Op) -> bool:
    """Whether a call brings no dimension along: what is stacked may be one sample, of which each row is a step."""
    along = op.arg(1, "dim", 0)
    features = op.name in ("cat", "concat") and isinstance(along, int) and along in (-1, len(op.inputs[0].shape) - 1)
    return (op.name not in JOINS or features) and op.name not in COPIES


def picked(op: Op, size: int) -> bool:
    """Whether a call takes as many rows as there are samples, and not in order: steps of time are taken in theirs."""
    places = op.words.get("places")
    if not isinstance(places, Places) or places.held is None or places.size != size:
        return False
    return any(one > other for one, other in pairwise(places.held))


def drawn_rows(trace: Trace) -> set[int]:
    """The tensors of batches whose dimension 0 has as many entries as indices were drawn, in every batch."""
    batches = [batch for batch in trace.of(Batch) if batch.index is not None]
    unlike = {
        (batch.loader, place)
        for batch in batches
        for place, seen in enumerate(batch.tensors)
        if not seen.shape or seen.shape[0] != len(batch.index or ())
    }
    return {
        seen.number
        for batch in batches
        for place, seen in enumerate(batch.tensors)
        if (batch.loader, place) not in unlike
    }
