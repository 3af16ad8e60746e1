"""What is trained on and what is scored: data sets of the same content, rows picked by number, and what is claimed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from truestep.check.events import Batch, Forward, LoaderMade, LoaderStart, Names, Number, Op, Printed
from truestep.check.looks import Seen
from truestep.check.picks import PICKS
from truestep.check.rules._batches import began, ends, split
from truestep.check.rules._chains import reaches
from truestep.check.rules._facts import complete
from truestep.check.trace import Trace

CLAIM = re.compile(r"(?<![a-z])(tests?|testing|tested|val|valid|validation|held|dev|eval|evaluation)(?![a-z])", re.I)
SHARED, ALIKE, FEW = 20, 0.95, 5


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
    for op, call, rows in picks(trace, calls):
        index = op.arg(PICKS[op.name], "index")
        if op.n < began(trace, trace.events[-1].n + 1):
            continue
        if call.n in trained and op.out[0].needs_grad:
            one = learned = learned or Picked(op, call.inputs[0].storage)
        elif ends(trace, op.out[0], op.n)[0]:
            which = (op.site.place, hash(frozenset(rows)))
            one = scored.setdefault(which, Picked(op, call.inputs[0].storage))
        else:
            continue
        if one.data != call.inputs[0].storage:  # batches, whose rows are other samples each time
            return None, []
        one.rows |= rows
        one.masks |= {index.number} if isinstance(index, Seen) else set()
        one.whole = op.inputs[0].shape[0]
    return learned, [each for each in scored.values() if learned is not None and each.data == learned.data]


def picks(trace: Trace, calls: dict[int, Forward]) -> Iterator[tuple[Op, Forward, set[int]]]:
    """The calls that take rows by number, or a slice of them, of what a model gave for all samples."""
    for op in trace.ops(*PICKS):
        rows = _rows(op)
        call = whole_call(trace, op.inputs[:1], op.n, calls) if rows and op.out else None
        if call is not None and rows is not None:
            yield op, call, rows


def _rows(op: Op) -> set[int] | None:
    """The rows that a call takes; a slice counts where it leaves some out at an end of its own."""
    where, index = op.words.get("places"), op.arg(PICKS[op.name], "index")
    if where is not None:
        return None if where.held is None or not op.inputs else set(where.held)
    index = index[0] if isinstance(index, tuple) and index else index
    if not isinstance(index, slice) or not _plain(index) or not op.inputs or not op.inputs[0].shape:
        return None
    rows = range(op.inputs[0].shape[0])[index]
    return set(rows) if 1 < len(rows) < op.inputs[0].shape[0] else None


def whole_call(
    trace: Trace, given: Sequence[Seen], before: int, calls: dict[int, Forward], most: int = 40
) -> Forward | None:
    """The call of a model that gave what rows are taken of: of several the one that was given the data."""
    size, found = given[0].shape[:1], None
    for seen, _ in trace.back(given, before, most, along=lambda _, each: each.shape[:1] == size):
        call = calls.get(seen.number)
        if call is not None and call.inputs and call.inputs[0].shape[:1] == size:
            found = call
            if trace.maker(call.inputs[0], call.began) is None:
                break
    return found


def parted(trace: Trace, call: Forward, train: set[int]) -> bool:
    """Whether rows that were not trained on are taken out of a call's outputs by themselves: as queries, say."""
    rows = call.inputs[0].rows
    for op in reaches(trace, call.outputs, call.n)[0]:
        if op.name not in PICKS or not op.inputs or op.inputs[0].shape[:1] != (len(rows),):
            continue
        index, where = op.arg(PICKS[op.name], "index"), op.words.get("places")
        index = index[0] if isinstance(index, tuple) and index else index
        part: tuple[int, ...] | None = rows[index] if isinstance(index, slice) and _plain(index) else None
        if where is not None and where.held is not None:
            part = tuple(rows[each] for each in where.held)
        if part and not train.intersection(part):
            return True
    return False


def _plain(index: slice) -> bool:
    return all(each is None or isinstance(each, int) for each in (index.start, index.stop, index.step))


def array_left(trace: Trace, held: set[int], behind: set[int], given: set[int], score: Forward) -> Op | None:
    """An array that became a tensor of other rows, is still there at the end, and went into nothing."""
    like = score.inputs[0]
    made = [op for op in trace.ops("from_numpy", "tensor", "as_tensor") if op.update == 0 and op.out]
    alike = [op for op in made if op.out[0].dtype == like.dtype and op.out[0].shape[1:] == like.shape[1:]]
    own = {op.out[0].storage for op in alike if op.out[0].number in behind}
    calls = [call for call in trace.of(Forward) if call.depth == 0 and call.inputs and not (call.close or call.grad)]
    if len(like.shape) < 2 or not own or any(call.inputs[0].storage not in own for call in calls):
        return None  # nobody looked at the rows of some calls
    read = {number.of.storage for number in trace.of(Number)}
    for op in alike:
        out = op.out[0]
        fresh = bool(out.rows) and out.storage not in own and not given.intersection(out.rows)
        if fresh and out.number in held and out.storage not in read and not trace.users(out):
            return op
    return None


def cut_off(trace: Trace, held: set[int], behind: set[int], given: set[int], score: Forward) -> Op | None:
    """A slice of the data that nothing takes, beside one that training has."""
    cuts = [op for op in trace.ops("__getitem__") if op.update == 0 and op.out and isinstance(op.args[-1], slice)]
    for cut in cuts:
        whole, out = cut.inputs[0], cut.out[0]
        if trace.users(out) or out.dtype != score.inputs[0].dtype:
            continue
        mates = [op for op in cuts if op.inputs[0].number == whole.number and op is not cut
                 and (op.out[0].number in behind or (op.out[0].rows and given <= set(op.out[0].rows)))]  # fmt: skip
        if out.number not in held and not any(_rest(cut.args[-1], op.args[-1]) for op in mates):
            continue  # nobody knows whether it was kept, but that two slices share the rows out says so
        if mates and out.shape[1:] == score.inputs[0].shape[1:] and mates[0].args[-1] != cut.args[-1]:
            return cut
    return None


def _rest(one: slice, other: slice) -> bool:
    """Whether two slices share out the rows between them."""
    return (one.start or 0, one.stop) in ((other.stop, None), (0, other.start))


def left(trace: Trace, learned: Picked, one: Picked, scored: list[Picked], apart: bool) -> str:
    """What tells that a score of trained rows was meant for others: a mask or numbers of these, that nothing takes.

    Where other rows are scored too (`apart`), its own line must call it one of held-out data, and score nothing else.
    """
    words = one.op.site.text
    spared = (
        "" if apart else _spare_mask(trace, learned) or (_mask_left(trace, learned) if claims(trace, words) else "")
    )
    alone = all(each is one or each.op.site.place != one.op.site.place for each in scored)
    if not spared and alone and complete(trace) and CLAIM.search(words.replace("_", " ")):
        spared = _numbers_left(trace, learned)
    return spared


def _spare_mask(trace: Trace, learned: Picked) -> str:
    """A mask of all other rows that was made and never used."""
    for op in trace.ops("bitwise_not", "__invert__", "logical_not"):
        if op.inputs and op.inputs[0].number in learned.masks and op.out and not trace.users(op.out[0], op.n):
            return f"; the mask of all others, made in line {op.site.line}, goes into nothing"
    return ""


def _mask_left(trace: Trace, learned: Picked) -> str:
    """A mask of as many rows that the program still holds at the end, and that nothing took in training."""
    last = next((names for names in reversed(trace.of(Names)) if names.when == "end"), None)
    kept: dict[int, str] = {}
    for name, value in last.held.items() if last is not None else ():
        if isinstance(value, tuple) and value and value[0] in ("tensor", "dict"):
            kept |= dict.fromkeys(value[2] if value[0] == "dict" else (value[2],), name)
    made = [(op, out) for op in trace.of(Op) for out in op.out if out.storage in kept and out.dtype == "bool"]
    used = {seen.storage for op in trace.of(Op) if op.n > learned.op.n for seen in op.inputs}
    own = {out.storage for _, out in made if out.number in learned.masks} | used
    for op, out in made:
        if own and out.shape == (learned.whole,) and out.storage not in own:
            return f"; the mask of other rows in {kept[out.storage]}, made in line {op.site.line}, goes into nothing"
    return ""


def _numbers_left(trace: Trace, learned: Picked) -> str:
    """Numbers of rows that were made as those of the training were, that a name still stands for, and nothing took."""
    last = next((names for names in reversed(trace.of(Names)) if names.when == "end"), None)
    held = last.held.items() if last is not None else ()
    kept = {value[1]: name for name, value in held if isinstance(value, tuple) and value and value[0] == "tensor"}
    makers = [op for op in trace.of(Op) if op.update == 0 and op.out and op.out[0].dtype == "int64"]
    own = {op.name for op in makers if op.out[0].number in learned.masks}
    read = {number.of.number for number in trace.of(Number)}
    for op in makers:
        one = op.out[0]
        left = one.number in kept and one.number not in read and not trace.users(one)
        if left and op.name in own and len(one.shape) == 1 and FEW <= one.shape[0] <= learned.whole:
            return f"; the numbers of {one.shape[0]} rows in {kept[one.number]} go into nothing"
    return ""


def never_asked(trace: Trace, trains: set[int]) -> Iterator[tuple[str, bool]]:
    """Other data that nobody ever asked for a batch, and whether a loader stood ready for them."""
    used = {start.loader for start in trace.of(LoaderStart)}
    made = trace.of(LoaderMade)
    bases = {each.base for each in made if each.loader in trains}
    for each in made:
        if each.loader not in used and each.loader not in trains and (each.base not in bases or not each.base):
            yield f"the loader made in line {each.site.line} ({each.size} items) was never asked for a batch", True
    loaded = {number for each in made for number in (each.dataset, each.base, *each.within)}
    for names in trace.of(Names):
        for name, value in names.held.items():
            if isinstance(value, tuple) and value and value[0] == "data" and value[1] not in loaded:
                yield f"no loader was made of the data set {name}", False
