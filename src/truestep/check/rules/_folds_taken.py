"""The parts of a run told apart by the rows that they take of tensors, though each fold scales them in its own way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

from truestep.check.events import Batch, Forward, LoaderMade
from truestep.check.looks import Seen
from truestep.check.rules._batches import Drawn, split
from truestep.check.rules._part import Part
from truestep.check.rules._rows import passes, read, scored
from truestep.check.rules._taken_rows import TENSOR, origins
from truestep.check.trace import Trace


def by_origin(trace: Trace, drawn: list[Drawn]) -> list[Part]:
    """What was trained on and what was scored, through loaders and by hand; without what was never learned of."""
    found = [*_by_loader(trace, drawn), *_by_hand(trace)]
    learned = frozenset[int]().union(*(part.samples for part in found if part.learned))
    return [part for part in found if not part.samples.isdisjoint(learned)]


def _by_loader(trace: Trace, drawn: list[Drawn]) -> Iterator[Part]:
    for one in drawn:
        made, start = one.what.loader, one.what.start
        rows = _stored(trace, made, one.items) if made is not None and one.items else None
        if rows:
            yield Part(start.n, start.site, 0, frozenset(rows), one.trains)


def _stored(trace: Trace, made: LoaderMade, items: Collection[int]) -> set[int] | None:
    """What the items of a data set were made of, by its first tensor."""
    for number in made.rows[:1]:
        seen = Seen(number, 0, (1 + max(items),), "", False, True, 0)
        op = trace.maker(seen, made.n)
        outs = [out for out in op.out if out.number == number] if op is not None else [seen]
        return origins(trace, outs[0], made.n, items)
    return None


def _by_hand(trace: Trace) -> Iterator[Part]:
    trained, others = split(trace)
    handed = {tensor.number for batch in trace.of(Batch) for tensor in batch.tensors}
    for call in trained:
        rows = _given(trace, call, handed)
        if rows:
            yield Part(call.n, call.site, 0, frozenset(rows), True)
    lines: dict[tuple[object, ...], list[Forward]] = defaultdict(list)
    for call in others:
        if call.inputs and call.outputs and (scored(trace, call) or read(trace, call)):
            lines[call.module, call.site.place, call.update].append(call)
    for calls in passes(trace, lines.values()):
        rows = set[int]().union(*(_given(trace, call, handed) for call in calls))
        if rows:
            yield Part(calls[0].n, calls[0].site, 0, frozenset(rows), False)


def _given(trace: Trace, call: Forward, handed: set[int]) -> set[int]:
    """The rows of other tensors that a model was given by hand, not those of batches that a loader handed out."""
    first = call.inputs[0] if call.inputs else None
    rows = origins(trace, first, call.n, range(first.shape[0])) if first is not None and first.shape else None
    return {row for row in rows or () if row // TENSOR not in handed}
