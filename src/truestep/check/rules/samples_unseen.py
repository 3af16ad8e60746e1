"""Some samples are never in any batch.

What: an evaluation drops its last, incomplete batch; or a data set counts one or two items less than it has, or halves
their number, say; or a loop over `n // batch_size` slices leaves the tail out, in an evaluation, or in a training that
goes through the data in a fixed order; or each epoch of such a training ends after so many batches; or batches are cut
at their number, where number times batch size was meant; or a loss is computed for each batch, and only that of the
last one before the update is differentiated.

Why: a score that leaves samples out is not the score of the set, and a tail that is never trained on is lost data,
often one particular kind of it.

Evidence: the items that a complete pass handed out against the size of the set; or the rows that its items took of what
the set stores, each at the same distance from the item before, up to where the next one would find its own; or the rows
that slices of a tensor, or the parts of one long slice, covered, and those that nothing else ever touched; or the
numbers of the rows, which in each batch are those of the last but for the first, and one more; or the parts of a tensor
that nothing read, while the others filled whole windows of accumulation. Of a single
slice from 0, as a loop over `n // batch_size` takes where only one fits in, there is advice, and of an item or two
that are less than a hundredth of the set.

False alarms: a shuffled training drops other samples each epoch, and scoring the first few batches leaves out more than
one batch. Neither is a finding, nor are windows of a series, whose rows follow one another.

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
from truestep.check.rules._crawling import crawling, stalled
from truestep.check.rules._cut_short import cut_short
from truestep.check.rules._halved import halved
from truestep.check.rules._offsets import spare
from truestep.check.rules._parts import left_over
from truestep.check.rules._thrown import thrown
from truestep.check.trace import Trace

RULE = Rule("TS470", "samples_unseen", "samples that are in no batch", "error", "data")
MENDING = WithTail()
CUTS = ("__getitem__", "narrow")
PARTS = ("split", "chunk", "view", "reshape", "unflatten")
WHY = "a score without them is not the score of the set, and what is not trained on is lost"


def look(trace: Trace) -> Iterator[Finding]:
    """Look at complete passes over loaders, then at slices of tensors."""
    yield from _dropped(trace)
    for site, message, evidence, level in spare(trace):
        yield found(RULE, site, message, evidence, WHY, "count the items in __len__ to the end", level=level)
    for site, message, evidence in halved(trace):
        yield found(RULE, site, message, evidence, WHY, "let __len__ count all items", level="warning")
    for site, message, evidence in (*crawling(trace), *stalled(trace)):
        yield found(RULE, site, message, evidence, WHY, "begin each batch where the last one ends: number * batch_size")
    for site, message, evidence in cut_short(trace):
        yield found(
            RULE, site, message, evidence, WHY, "shuffle, or go through the whole loader in each epoch", level="warning"
        )  # fmt: skip
    for lost in thrown(trace):
        yield found(
            RULE, lost.op.site, "of the losses that are computed here only the last before each update is used",
            f"{lost.unused} losses with a graph went into no call, no number and no backward pass; {lost.passes} "
            "passes went back from this line, each behind some of these",
            "what is not differentiated teaches nothing", "call backward() and step() inside the loop over batches",
        )  # fmt: skip
    for one in left_over(trace):
        yield found(
            RULE, one.op.site, f"the last {one.left} of {one.used + one.left} batches are in no window",
            f"the first {one.used} were trained on again and again, {one.window} for each step; nothing reads the "
            "others", WHY, "go on to the end: range(0, len(batches), k), and step for the shorter window too",
            level="warning",
        )  # fmt: skip
        break
    said = set[tuple[str, int]]()
    yield from _sliced(trace, said)
    yield from _trimmed(trace, said)
    yield from _one(trace, said)


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


def _sliced(trace: Trace, said: set[tuple[str, int]]) -> Iterator[Finding]:
    """Tensors that a line cuts into equal slices from their start, up to a tail shorter than a slice."""
    trained, _ = split(trace)
    late = {call.update for call in trained}
    cuts: dict[tuple[int, tuple[str, int]], list[tuple[int, int, Op]]] = {}
    for op in trace.ops(*CUTS):
        span = _span(op)
        if span is not None:
            cuts.setdefault((op.inputs[0].number, op.site.place), []).append((*span, op))
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


def _trimmed(trace: Trace, said: set[tuple[str, int]]) -> Iterator[Finding]:
    """Tensors cut to a whole number of batches, whose parts are then scored, and whose tail nothing takes."""
    late = {call.update for call in split(trace)[0]}
    for op in trace.ops(*CUTS):
        span = _span(op)
        if span is None or span[0] or op.site.place in said or (op.grad and op.update in late):
            continue
        parts = next((user for out in op.out for user in trace.users(out, op.n) if user.name in PARTS), None)
        width = _width(parts, span[1]) if parts is not None else 0
        whole = op.inputs[0].shape[0]
        left, count = whole - span[1], span[1] // max(width, 1)
        if width < 2 or count < 2 or span[1] % width or not 0 < left < width or _touched(trace, [(*span, op)], span[1]):
            continue
        if not any(event.grad is False and _given(trace, event, op, width) for event in trace.of(Forward)):
            continue
        said.add(op.site.place)
        yield found(
            RULE, op.site, f"the last {left} of {whole} rows are in no batch",
            f"the first {span[1]} rows are cut into {count} parts of {width} and scored; nothing takes the others",
            WHY, f"go on to the end: split({width}) of all {whole} rows",
        )  # fmt: skip


def _one(trace: Trace, said: set[tuple[str, int]]) -> Iterator[Finding]:
    """One slice that begins at a number, 0, and is scored again and again; a tail shorter than it is never taken."""
    late = {call.update for call in split(trace)[0]}
    cuts: dict[tuple[int, tuple[str, int]], list[tuple[int, int, Op]]] = {}
    for op in trace.ops("__getitem__"):
        span = _span(op)
        if span is not None:
            cuts.setdefault((op.inputs[0].number, op.site.place), []).append((*span, op))
    for (_, place), spans in cuts.items():
        first, width, op = spans[-1]
        left = op.inputs[0].shape[0] - width
        counted = all(one[2].args[1].start == 0 and one[:2] == (first, width) for one in spans)  # not [:width]
        if place in said or not counted or len(spans) < 2 or not 0 < left < width or _touched(trace, spans, width):
            continue
        if any(one.grad and one.update in late for _, _, one in spans):
            continue
        if any(not event.grad and _given(trace, event, op, width) for event in trace.of(Forward)):
            said.add(place)
            yield found(
                RULE, op.site, f"the last {left} of {width + left} rows are in no batch",
                f"rows 0 to {width - 1} were taken {len(spans)} times, as the first batch is; nothing takes the others",
                WHY, f"go on to the end: range(0, {width + left}, {width}), or split({width})", level="advice",
            )  # fmt: skip


def _width(parts: Op, rows: int) -> int:
    """The rows of each part into which a call cuts a tensor along its first dimension; 0 where it does not."""
    if parts.name == "split" and isinstance(parts.arg(1, "split_size"), int) and parts.arg(2, "dim", 0) == 0:
        return int(parts.arg(1, "split_size"))
    if parts.name == "chunk" and isinstance(parts.arg(1, "chunks"), int) and parts.arg(2, "dim", 0) == 0:
        return -(-rows // max(int(parts.arg(1, "chunks")), 1))
    given = parts.inputs[0].shape
    shapes = [out.shape for out in parts.out[:1] if len(out.shape) == len(given) + 1 and out.shape[2:] == given[1:]]
    return next((shape[1] for shape in shapes if shape[0] * shape[1] == rows), 0)


def _given(trace: Trace, call: Forward, cut: Op, width: int) -> bool:
    """Whether a call was given one of the parts."""
    if call.depth or call.n < cut.n or not call.inputs or call.inputs[0].shape[:1] != (width,):
        return False
    memory = call.inputs[0].storage == cut.inputs[0].storage
    return memory or any(op.n == cut.n for op in trace.chain(call.inputs[0], call.n, 6))


def _touched(trace: Trace, spans: list[tuple[int, int, Op]], handed: int) -> bool:
    """Whether anything else takes rows of the tail, or a call, looked at closely or not, was given just so many."""
    since, tensor, place = spans[0][2].n, spans[0][2].inputs[0], spans[0][2].site.place
    for user in trace.users(tensor):
        span = _span(user) if user.name in CUTS else None
        if user.site.place != place and (span[1] > handed if span else user.n >= since):
            return True
    calls = (event for event in trace.of(Forward) if event.depth == 0 and event.n > since)
    return any(each.shape[:1] == (tensor.shape[0] - handed,) for call in calls for each in call.inputs)


def _span(op: Op) -> tuple[int, int] | None:
    """The rows that a slice along the first dimension takes; None for any other index."""
    if not op.inputs or not op.inputs[0].shape or len(op.args) < 2:
        return None
    if op.name == "narrow":
        dim, first, length = op.arg(1, "dim"), op.arg(2, "start"), op.arg(3, "length")
        plain = dim == 0 and isinstance(first, int) and isinstance(length, int) and first >= 0 < length
        return (first, first + length) if plain else None
    index = op.args[1]
    if not isinstance(index, slice) or index.step not in (None, 1):
        return None
    if not all(end is None or isinstance(end, int) for end in (index.start, index.stop)):
        return None
    first, last, _ = index.indices(op.inputs[0].shape[0])
    return (first, last) if last > first else None
