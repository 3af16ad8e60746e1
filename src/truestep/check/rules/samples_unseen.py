"""Some samples are never in any batch.

What: an evaluation drops its last, incomplete batch; or a loop over `n // batch_size` slices leaves the tail out, in an
evaluation, or in a training that goes through the data in a fixed order.

Why: a score that leaves samples out is not the score of the set, and a tail that is never trained on is lost data,
often one particular kind of it.

Evidence: the items that a complete pass handed out against the size of the set; or the rows that slices of a tensor
covered, and that nothing else ever touched.

False alarms: a shuffled training drops other samples each epoch, and scoring the first few batches leaves out more than
one batch. Neither is a finding.

Mend: `drop_last=False` in evaluation; `range(0, n, batch_size)` or `x.split(batch_size)` in place of `n // batch_size`.

Wrong:
    for i in range(len(x) // batch_size):
        score(x[i * batch_size : (i + 1) * batch_size])

Right:
    for i in range(0, len(x), batch_size):
        score(x[i : i + batch_size])
"""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.events import Forward, Op
from truestep.check.finding import Finding, Rule
from truestep.check.mends.keeping import WithTail
from truestep.check.rules import found
from truestep.check.rules._batches import drawn, split
from truestep.check.trace import Trace

RULE = Rule("TS470", "samples_unseen", "samples that are in no batch", "error", "data")
MENDING = WithTail()
WHY = "a score without them is not the score of the set, and what is not trained on is lost"


def look(trace: Trace) -> Iterator[Finding]:
    """Look at complete passes over loaders, then at slices of tensors."""
    yield from _dropped(trace)
    yield from _sliced(trace)


def _dropped(trace: Trace) -> Iterator[Finding]:
    passes = list(drawn(trace))
    trained = {one.what.start.loader for one in passes if one.trains}
    said: set[int] = set()
    for one in passes:
        made = one.what.loader
        if made is None or not made.drop_last or not one.what.whole or made.size is None or made.loader in said:
            continue
        fixed = made.sampler == "SequentialSampler"
        handed = len(one.items)
        if handed and handed < made.size and (fixed or not one.trains) and (fixed or made.loader not in trained):
            said.add(made.loader)
            use = "training, in a fixed order," if one.trains else "evaluation"
            yield found(
                RULE, made.site, f"{made.size - handed} of {made.size} samples are never in a batch of the {use}",
                f"a whole pass handed out {len(one.what.batches)} batches of {made.batch_size}, {handed} samples, and "
                f"dropped the last {made.size - handed}",
                WHY, "leave drop_last=False where every sample counts",
            )  # fmt: skip


def _sliced(trace: Trace) -> Iterator[Finding]:
    """Tensors that a line cuts into equal slices from their start, up to a tail shorter than a slice."""
    trained, _ = split(trace)
    late = {call.update for call in trained}
    cuts: dict[tuple[int, tuple[str, int]], list[tuple[int, int, Op]]] = {}
    for op in trace.ops("__getitem__"):
        span = _span(op)
        if span is not None:
            cuts.setdefault((op.inputs[0].number, op.site.place), []).append((*span, op))
    said: set[tuple[str, int]] = set()
    for (_, place), spans in cuts.items():
        op = spans[-1][2]
        whole, width = op.inputs[0].shape[0], spans[0][1] - spans[0][0]
        ordered = sorted({first for first, _, _ in spans})
        handed, again = len(ordered) * width, sum(first == 0 for first, _, _ in spans)
        equal = all(last - first == width and first % width == 0 for first, last, _ in spans)
        if not equal or len(ordered) < 2 or ordered[-1] + width != handed or not 0 < whole - handed < width:
            continue
        graph = any(each.grad and each.update + 1 in late for _, _, each in spans)
        if place in said or (graph and again < 2) or width < 2 or _touched(trace, spans, handed):
            continue
        said.add(place)
        yield found(
            RULE, op.site, f"the last {whole - handed} of {whole} rows are in no batch",
            f"{len(ordered)} slices of {width} cover rows 0 to {handed - 1}, {again} times; nothing takes the others",
            WHY, f"go on to the end: range(0, {whole}, {width}), or split({width})",
        )  # fmt: skip


def _touched(trace: Trace, spans: list[tuple[int, int, Op]], handed: int) -> bool:
    """Whether anything else takes rows of the tail, or a call, looked at closely or not, was given just so many."""
    since, tensor, place = spans[0][2].n, spans[0][2].inputs[0], spans[0][2].site.place
    for user in trace.users(tensor):
        span = _span(user) if user.name == "__getitem__" else None
        if user.site.place != place and (span[1] > handed if span else user.n >= since):
            return True
    calls = (event for event in trace.of(Forward) if event.depth == 0 and event.n > since)
    return any(each.shape[:1] == (tensor.shape[0] - handed,) for call in calls for each in call.inputs)


def _span(op: Op) -> tuple[int, int] | None:
    """The rows that a slice along the first dimension takes; None for any other index."""
    if not op.inputs or not op.inputs[0].shape or len(op.args) < 2:
        return None
    index = op.args[1]
    if not isinstance(index, slice) or index.step not in (None, 1):
        return None
    if not all(end is None or isinstance(end, int) for end in (index.start, index.stop)):
        return None
    first, last, _ = index.indices(op.inputs[0].shape[0])
    return (first, last) if last > first else None
