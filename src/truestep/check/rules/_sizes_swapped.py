"""Data of several dimensions that are reshaped to the swapped sizes, where their dimensions were to be swapped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from math import prod

from truestep.check.events import Batch, LoaderMade, Op
from truestep.check.looks import Seen
from truestep.check.rules._chains import origin
from truestep.check.site import Site
from truestep.check.trace import Trace

GIVEN = {"from_numpy", "tensor", "as_tensor"}
KEEPS = {"float", "double", "to", "contiguous", "clone", "type"}
TURNS = ("permute", "transpose", "t", "movedim", "swapaxes", "swapdims", "T", "mT", "rearrange", "einsum")
MOSTLY, LEAST, OFTEN = 0.5, 100, 3


def swapped(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """Views of data (A, B, ...) as (B, A, ...) whose entries are then picked as samples, each with its target."""
    picks = [op for op in trace.ops("__getitem__") if len(op.inputs) == 2 and op.inputs[1].dtype == "int64"]
    for op in trace.ops("reshape", "view"):
        if len(op.inputs) != 1 or len(op.out) != 1:
            continue
        given, out = op.inputs[0].shape, op.out[0].shape
        dimensions = len(given)
        few = dimensions < 2 or prod(given) < LEAST  # a few numbers may be written down so
        if few or op.inputs[0].needs_grad or 1 in given[:2] or given[0] == given[1]:
            continue
        if out != (given[1], given[0], *given[2:]) or not _as_given(trace, op.inputs[0], op.n):
            continue
        parts = _parts(trace, op.out[0], op.n)
        mine = next((pick for pick in picks if pick.inputs[0].number in parts), None)
        loaded = _loaded(trace, op, parts)
        if (mine is not None and any(_labels(each, mine) for each in picks)) or loaded is not None:
            site = (mine or loaded or op).site
            told = f"{op.name} from {given} to {out} cuts across the samples: it swaps the sizes and not the dimensions"
            yield op.site, told, (
                f"line {site.line} picks samples along dimension 0 of the result, each with its target; entry 0 "
                f"along it is made of the first {given[0]} of {given[0] * given[1]} rows, which run on along dimension "
                "1 of the data"
            )  # fmt: skip
            return


def collated(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """Batches whose sizes were brought into another order by a reshape, samples from behind to the front."""
    lines: dict[tuple[str, int], list[Op]] = defaultdict(list)
    for batch in trace.of(Batch):
        count = len(batch.index or ())
        for tensor in batch.tensors[:1] if batch.close and count > 1 else ():
            op = origin(trace, tensor, batch.n, KEEPS)
            if op is None or op.name not in ("reshape", "view") or len(op.inputs) != 1 or len(tensor.shape) < 3:
                continue
            given, out = op.inputs[0].shape, op.out[0].shape
            plain = sorted(given) == sorted(out) and 1 not in given
            if plain and out[0] == count != given[0]:
                lines[op.site.place].append(op)
    for found in lines.values():
        op = found[0]
        given, out = op.inputs[0].shape, op.out[0].shape
        if len(found) >= OFTEN:
            told = f"{op.name} from {given} to {out} cuts across the samples: it turns the sizes and not the dimensions"
            yield (
                op.site,
                told,
                (
                    f"in {len(found)} batches that were looked at; {out[0]} samples were drawn, and they do not lie "
                    f"along dimension 0 of what was reshaped, whose size is {given[0]}"
                ),
            )
            return


def _loaded(trace: Trace, op: Op, parts: Mapping[int, Seen]) -> Batch | None:
    """A batch of a loader whose items are such entries, each with a target of its own.

    What a loader picks its items of is not seen, but their rows are known. Where those of the entries are not, as many
    items must be of their form, and nothing else in the run.
    """
    whole, sizes = op.out[0].shape, {each.shape[0] for each in parts.values()}
    known = {row for each in parts.values() for row in each.rows}
    if any(out.shape[1:] == whole[1:] for turn in trace.ops(*TURNS) for out in turn.out):
        return None
    counts = {
        event.loader: event.size if event.chosen is None else max(event.chosen, default=0) + 1
        for event in trace.of(LoaderMade)
    }  # fmt: skip
    for batch in trace.of(Batch):
        if len(batch.tensors) == 2 and batch.tensors[1].shape == batch.tensors[0].shape[:1]:
            rows, form = batch.tensors[0].rows, batch.tensors[0].shape[1:] == whole[1:]
            count = counts.get(batch.loader) or 0
            few = count in sizes or (max(sizes) * MOSTLY < count <= max(sizes))
            if form and rows and (known.issuperset(rows) if known else few):
                return batch
    return None


def _as_given(trace: Trace, seen: Seen, before: int) -> bool:
    """Whether data came in their dimensions from outside, and were neither drawn nor laid out by the program."""
    for _ in range(6):
        op = trace.maker(seen, before)
        if op is None:
            return False
        if op.name in GIVEN:
            return True
        if op.name not in KEEPS or not op.inputs:
            return False
        seen, before = op.inputs[0], op.n
    return False


def _parts(trace: Trace, seen: Seen, after: int) -> dict[int, Seen]:
    """A tensor and the runs of its entries along dimension 0, by their numbers."""
    found, waiting = {seen.number: seen}, [(seen, after)]
    while waiting and len(found) < 20:
        one, since = waiting.pop(0)
        for user in trace.users(one, since):
            run = user.name == "__getitem__" and len(user.inputs) == 1
            whole = user.out and len(user.out[0].shape) == len(one.shape)
            if (run or user.name in KEEPS) and whole and user.out[0].shape[1:] == one.shape[1:]:
                found[user.out[0].number] = user.out[0]
                waiting.append((user.out[0], user.n))
    return found


def _labels(pick: Op, mine: Op) -> bool:
    """Whether the same index picks one target for each sample."""
    data, index = pick.inputs
    same = index.number == mine.inputs[1].number and data.shape[:1] == mine.inputs[0].shape[:1]
    return same and len(data.shape) == 1 and data.number != index.number
