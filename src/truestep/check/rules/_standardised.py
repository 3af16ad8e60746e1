"""Parts of the data that were standardised apart: each by the mean, or the ends, of its own."""

from __future__ import annotations

from truestep.check.events import Batch, Forward, LoaderMade, Op
from truestep.check.looks import Seen
from truestep.check.rules._chains import root
from truestep.check.site import Site
from truestep.check.trace import Trace

ROWS, OFTEN, SEVERAL, EXACT = 8, 3, 3, 1e-4
TAKEN = {"mean": "mean", "nanmean": "mean", "amin": "least number", "min": "least number"}
Told = tuple[Site | None, str, str]


def standardised_apart(trace: Trace, mates: list[Forward], call: Forward) -> Told | None:
    """Where an evaluated part was standardised by itself, as the training part was: the line, and what tells it."""
    return _own(trace, mates, call) or _same_line(trace, mates, call) or _whole(trace, mates, call)


def _own(trace: Trace, mates: list[Forward], call: Forward) -> Told | None:
    """Whether both parts were standardised whole, each with the mean of its own."""
    mine, theirs = _centred(trace, call), [_centred(trace, mate) for mate in mates[:OFTEN]]
    if mine is None or any(each is None or each[0].number != theirs[0][0].number for each in theirs if theirs[0]):
        return None
    if theirs[0] is None or theirs[0][0].number == mine[0].number or mine[0].shape[:1] < (ROWS,):
        return None
    first, second = theirs[0][1].out[0].values, mine[1].out[0].values
    told = f" ({first.mean:.4g} and {second.mean:.4g})" if first and second else ""
    return (
        mine[1].site,
        f"the held-out part is standardised with its own {TAKEN[mine[1].name]}",
        f"{theirs[0][0].shape[0]} training rows had their own {TAKEN[mine[1].name]} subtracted, and {mine[0].shape[0]} "
        f"held-out rows theirs{told}",
    )


def _same_line(trace: Trace, mates: list[Forward], call: Forward) -> Told | None:
    """Whether the line that takes the mean off the evaluated part took another one off all that a loader draws from."""
    mine = _centred(trace, call)
    if mine is None or mine[0].shape[:1] < (ROWS,) or any(_centred(trace, mate) for mate in mates[:OFTEN]):
        return None
    sizes = {made.size for made in trace.of(LoaderMade)}
    for op in trace.ops("sub"):
        if op.n > mates[0].n or op.site.place != mine[2].site.place:
            continue
        own = _takes_own(trace, op)
        if own is not None and own[0].shape[1:] == mine[0].shape[1:] and own[0].shape[0] in sizes - {mine[0].shape[0]}:
            return (
                mine[2].site,
                "the held-out part is standardised with its own mean",
                f"on this line {own[0].shape[0]} rows, which a loader draws from, had their own mean subtracted, and "
                f"{mine[0].shape[0]} evaluated rows theirs",
            )
    return None


def _whole(trace: Trace, mates: list[Forward], call: Forward) -> Told | None:
    """Whether each part has columns of mean 0 and deviation 1 to the last digits: no part has those of another."""
    mine, rows = _standard(trace, call), set(call.inputs[0].rows)
    if mine is None or not rows or any(row in rows for mate in mates for row in mate.inputs[0].rows):
        return None  # the training rows themselves, or nobody knows
    handed = {tensor.number for batch in trace.of(Batch) for tensor in batch.tensors}
    known = [mine.words["columns"]]
    for mate in mates[:OFTEN]:
        other = _standard(trace, mate)
        if other is None and root(trace, mate.inputs[0], mate.n).number in handed:
            other = next((op for op in _standards(trace) if op is not mine and _columns(op) == _columns(mine)), None)
        if other is None or other.out[0].number == mine.out[0].number or _columns(other) != _columns(mine):
            return None
        known.append(other.words["columns"])
    if all(_made_by(each, 0) for each in known):
        what, ends = "mean and deviation", "mean 0 (to {:.1g}) and deviation 1 (to {:.1g})"
        place = 0
    elif all(_made_by(each, 2) for each in known) and _columns(mine) >= (SEVERAL,):
        what, ends = "least and greatest numbers", "a least number 0 (to {:.1g}) and a greatest one 1 (to {:.1g})"
        place = 2
    else:
        return None
    told = ends.format(*(max(one[at] for one in known) for at in (place, place + 1)))
    return (
        mine.site, f"the held-out part is standardised with its own {what}",
        f"the tensor behind training and this one of {mine.out[0].shape[0]} rows both have columns with {told}",
    )  # fmt: skip


def _made_by(columns: tuple[float, ...], place: int) -> bool:
    return max(columns[place : place + 2]) < EXACT


def _standards(trace: Trace) -> list[Op]:
    """The tensors made of arrays whose columns were standardised, or stretched from 0 to 1, by themselves."""
    made = (op for op in trace.ops("tensor", "as_tensor", "from_numpy") if op.words.get("columns"))
    return [op for op in made if any(_made_by(op.words["columns"], place) for place in (0, 2))]


def _standard(trace: Trace, call: Forward) -> Op | None:
    """The one that lies behind an input."""
    known = {op.n: op for op in _standards(trace)}
    return next((known[op.n] for op in trace.chain(call.inputs[0], call.n) if op.n in known), None)


def _columns(op: Op) -> tuple[int, ...]:
    return op.out[0].shape[1:]


def _centred(trace: Trace, call: Forward) -> tuple[Seen, Op, Op] | None:
    """The tensor behind an input that had its own mean subtracted, and the ops that took the mean, and took it off."""
    found = (_takes_own(trace, op) for op in trace.chain(call.inputs[0], call.n) if op.name == "sub" and not op.within)
    return next((each for each in found if each is not None), None)


def _takes_own(trace: Trace, op: Op) -> tuple[Seen, Op, Op] | None:
    if len(op.inputs) != 2:
        return None
    data, mean = op.inputs
    made = trace.maker(mean, op.n)
    if made is None or made.name not in TAKEN or not made.inputs or not _one(trace, made, op):
        return None
    by_row = len(data.shape) > 1 and mean.shape[:1] == data.shape[:1]  # which needs no other part
    return None if by_row else (data, made, op)


def _one(trace: Trace, mean: Op, sub: Op) -> bool:
    """Whether a mean is that of the tensor which it is subtracted from, or of one that was made alike."""
    return _alike(trace, mean.inputs[0], mean.n, sub.inputs[0], sub.n)


def _alike(trace: Trace, first: Seen, before: int, second: Seen, until: int, depth: int = 4) -> bool:
    """Whether two tensors are one, or were made by the same calls of one."""
    if first.number == second.number:
        return True
    one, other = trace.maker(first, before), trace.maker(second, until)
    if not depth or one is None or other is None or one.name != other.name or not one.inputs:
        return False
    plain = [[each for each in made.args if not isinstance(each, Seen)] for made in (one, other)]
    words = one.words.keys() == other.words.keys() and _rows(one) == _rows(other)
    if plain[0] != plain[1] or not words or len(one.inputs) != len(other.inputs):
        return False
    pairs = zip(one.inputs, other.inputs, strict=True)
    return all(_alike(trace, each, one.n, mate, other.n, depth - 1) for each, mate in pairs)


def _rows(op: Op) -> object:
    """Which rows an index takes, where it is no tensor: all arrays are told by one word."""
    places = op.words.get("places")
    return op.n if places is None and "ndarray" in op.args else places
