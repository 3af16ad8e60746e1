"""What is trained on and what is scored: data sets of the same content, rows picked by number, and what is claimed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from truestep.check.events import Batch, Forward, LoaderMade, Op, Printed
from truestep.check.looks import Seen
from truestep.check.picks import PICKS
from truestep.check.rules._batches import began, ends, split
from truestep.check.rules._chains import reaches
from truestep.check.trace import Trace

CLAIM = re.compile(r"(?<![a-z])(tests?|testing|tested|val|valid|validation|held|dev|eval|evaluation)(?![a-z])", re.I)
SHARED, ALIKE = 20, 0.95


def claims(trace: Trace, *texts: str) -> bool:
    """Whether a line of the program, or what it printed, calls a score one of held-out data. Support, never proof."""
    told = [*texts, *(event.text for event in trace.of(Printed))]
    return any(CLAIM.search(each.replace("_", " ")) for each in told)


def contents(trace: Trace) -> dict[int, int]:
    """By the number of a data set, the first one that holds the same tensors, arrays and lists, and gives the same."""
    first: dict[tuple[tuple[str, int], ...], int] = {}
    found: dict[int, int] = {}
    for made in trace.of(LoaderMade):
        twin = first.setdefault(made.stored, made.base) if made.stored else made.base
        same = twin == made.base or made.base in found or _alike(trace, twin, made.base)
        found.setdefault(made.base, twin if same else made.base)
    return found


def _alike(trace: Trace, one: int, other: int) -> bool:
    """Whether items of the same number have the same label, say, in two data sets."""
    mine, theirs = _items(trace, one), _items(trace, other)
    for place in range(min(len(mine), len(theirs))):
        shared = set(mine[place]) & set(theirs[place])
        kinds = {mine[place][each] for each in shared}
        same = sum(mine[place][each] == theirs[place][each] for each in shared)
        if len(shared) >= SHARED and len(kinds) > 1 and same >= ALIKE * len(shared):
            return True
    return False


def _items(trace: Trace, base: int) -> list[dict[int, int]]:
    """For each tensor of its batches, the digests of items of a data set by their numbers."""
    made = {each.loader: each for each in trace.of(LoaderMade) if each.base == base}
    found: dict[int, dict[int, int]] = defaultdict(dict)
    for batch in trace.of(Batch):
        if batch.loader not in made or not batch.index:
            continue
        chosen = made[batch.loader].chosen
        for place, seen in enumerate(batch.tensors):
            if len(seen.rows) == len(batch.index):
                for index, row in zip(batch.index, seen.rows, strict=True):
                    if isinstance(index, int):
                        found[place][index if chosen is None or index >= len(chosen) else chosen[index]] = row
    return [found[place] for place in range(len(found))]


@dataclass(slots=True)
class Picked:
    """Rows of a model's outputs for all samples (the memory `data`) that a loss or a score takes by number."""

    op: Op
    data: int
    rows: set[int] = field(default_factory=set)
    masks: set[int] = field(default_factory=set)
    whole: int = 0


def picked(trace: Trace) -> tuple[Picked | None, list[Picked]]:
    """The rows that training takes of the outputs for all samples, and those that each score takes."""
    calls = {out.number: call for call in trace.of(Forward) if call.depth == 0 for out in call.outputs}
    trained = {call.n for call in split(trace)[0]}
    learned: Picked | None = None
    scored: dict[tuple[tuple[str, int], int], Picked] = {}
    for op, call in _picks(trace, calls):
        index = op.arg(PICKS[op.name], "index")
        if op.n < began(trace, trace.events[-1].n + 1):
            continue
        if call.n in trained and op.out[0].needs_grad:
            one = learned = learned or Picked(op, call.inputs[0].storage)
        elif ends(trace, op.out[0], op.n)[0]:
            which = (op.site.place, op.words["places"].mark)
            one = scored.setdefault(which, Picked(op, call.inputs[0].storage))
        else:
            continue
        if one.data != call.inputs[0].storage:  # batches, whose rows are other samples each time
            return None, []
        one.rows |= set(op.words["places"].held)
        one.masks |= {index.number} if isinstance(index, Seen) else set()
        one.whole = op.inputs[0].shape[0]
    return learned, [each for each in scored.values() if learned is not None and each.data == learned.data]


def _picks(trace: Trace, calls: dict[int, Forward]) -> Iterator[tuple[Op, Forward]]:
    for op in trace.ops(*PICKS):
        where = op.words.get("places")
        if where is None or where.held is None or not op.inputs or not op.out:
            continue
        seen, before = op.inputs[0], op.n
        for _ in range(4):
            call = calls.get(seen.number)
            if call is not None and call.inputs and call.inputs[0].shape[:1] == op.inputs[0].shape[:1]:
                yield op, call
                break
            made = trace.maker(seen, before)
            if made is None or not made.inputs or made.inputs[0].shape[:1] != op.inputs[0].shape[:1]:
                break
            seen, before = made.inputs[0], made.n


def parted(trace: Trace, call: Forward) -> bool:
    """Whether two slices share out the rows that a model gave: those of one part are then looked up in the other."""
    cuts = [op for op in reaches(trace, call.outputs, call.n)[0] if op.name == "__getitem__" and len(op.args) == 2]
    told = [(op.inputs[0].number, op.args[1]) for op in cuts if isinstance(op.args[1], slice)]
    return any(one[0] == other[0] and one[1].stop is None and other[1].start in (None, 0)
               and one[1].start == other[1].stop is not None for one in told for other in told)  # fmt: skip
