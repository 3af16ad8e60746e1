"""Parts of the data that were standardised apart: each by the mean, or the ends, of its own."""

from __future__ import annotations

from typing import NamedTuple

from truestep.check.events import Batch, Forward, LoaderMade, Op
from truestep.check.looks import Seen
from truestep.check.points import EXACT, OWN, standard
from truestep.check.rules._chains import SOUND, root
from truestep.check.site import Site
from truestep.check.trace import Trace

ROWS, OFTEN, SEVERAL = 8, 3, 3
TAKEN = {
    "mean": "mean", "nanmean": "mean", "std_mean": "mean", "var_mean": "mean", "amin": "least number",
    "min": "least number",
}  # fmt: skip
JOINS = {"cat", "concat", "concatenate", "hstack", "vstack", "stack", "row_stack", "column_stack", "dstack"}
ENDS = 2
STATISTICS = {
    0: ("mean and deviation", "mean 0 (to {:.1g}) and deviation 1 (to {:.1g})"),
    ENDS: ("least and greatest numbers", "a least number 0 (to {:.1g}) and a greatest one 1 (to {:.1g})"),
    4: ("median and quartiles", "median 0 (to {:.1g}) and quartiles 1 apart (to {:.1g})"),
}
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


class Table(NamedTuple):
    """A table behind an input, whose columns were standardised by themselves, and where it was made or handed over."""

    number: int
    shape: tuple[int, ...]
    columns: tuple[float, ...]
    site: Site


def _whole(trace: Trace, mates: list[Forward], call: Forward) -> Told | None:
    """Whether each part has columns of mean 0 and deviation 1 to the last digits: no part has those of another."""
    mine, rows = _standard(trace, call), set(call.inputs[0].rows)
    if mine is None or not rows or any(row in rows for mate in mates for row in mate.inputs[0].rows):
        return None  # the training rows themselves, or nobody knows
    handed, loaded = trace.once(_handed), trace.once(_loaded)
    known = [mine.columns]
    for mate in mates[:OFTEN]:
        other = _standard(trace, mate)
        if other is None and root(trace, mate.inputs[0], mate.n).number in handed:
            other = next((each for each in _standards(trace) if each != mine and _width(each) == _width(mine)), None)
        if other is None and len(known) == 1:
            return _beside_traced(trace, mates, call, mine)
        if other is None or other.number == mine.number or _width(other) != _width(mine) or other.columns in known[:1]:
            return None
        known.append(other.columns)
    behind = (_of_loader(trace, mate, handed, loaded) for mate in mates)
    if len({(each.shape, each.columns) for each in behind if each is not None}) > 1:  # made anew it has the same ones
        return None  # each group of samples by itself, as all clients, or persons
    place = next((at for at in OWN if all(standard(each, at) for each in known)), None)
    if place is None:
        return _otherwise(mine, known[1:])
    if place == ENDS and _width(mine) < (SEVERAL,):
        return None
    what, told = STATISTICS[place]
    told = told.format(*(max(one[at] for one in known) for at in (place, place + 1)))
    return (
        mine.site, f"the held-out part is standardised with its own {what}",
        f"the table behind training and this one of {mine.shape[0]} rows both have columns with {told}",
    )  # fmt: skip


def _beside_traced(trace: Trace, mates: list[Forward], call: Forward, mine: Table) -> Told | None:
    """Whether a part has columns of its own statistics, where the training part was seen to lose its own mean."""
    place = next((at for at in OWN if standard(mine.columns, at)), None)
    behind = [_of_others(trace, mate, call, mine) for mate in mates if trace.maker(mate.inputs[0], mate.n) is not None]
    known = [each for each in behind if each is not None]
    if place is None or len(known) < OFTEN or len(known) < len(behind) or len({each[0].number for each in known}) > 1:
        return None  # each batch, or each group of samples, by itself
    data, made, _ = known[0]
    if data.shape[1:] != _width(mine) or data.shape[:1] < (ROWS,) or (place == ENDS and _width(mine) < (SEVERAL,)):
        return None
    what, told = STATISTICS[place]
    return (
        mine.site, f"the held-out part is standardised with its own {what}",
        f"{data.shape[0]} training rows had their own {TAKEN[made.name]} subtracted, and this table of {mine.shape[0]} "
        f"rows has columns with {told.format(*mine.columns[place : place + 2])}",
    )  # fmt: skip


def _of_others(trace: Trace, mate: Forward, call: Forward, mine: Table) -> tuple[Seen, Op, Op] | None:
    """What lost its own mean behind an input of training, where it is not the evaluated table itself, nor its copy."""
    found, evaluated = _centred(trace, mate), call.inputs[0]
    for op in trace.chain(mate.inputs[0], mate.n) if found is not None else ():
        if op.name in JOINS:  # of parts that may each have had their own
            return None
        for out in op.out:
            ends = None if out.values is None or evaluated.values is None else out.values[:2] == evaluated.values[:2]
            alike = out.shape == mine.shape and (evaluated.shape != mine.shape or ends is not False)
            if out.number in (mine.number, evaluated.number) or alike:
                return None
        if found is not None and op.n == found[2].n:
            break
    return found


def _otherwise(mine: Table, known: list[tuple[float, ...]]) -> Told | None:
    """Whether each was scaled by itself in its own way, as one by mean and deviation, and the other by its ends."""
    place = next((at for at in OWN if all(standard(each, at) for each in known)), None)
    own = next((at for at in OWN if standard(mine.columns, at)), None)
    greatest = own is None and mine.columns[ENDS + 1] < EXACT and _width(mine) >= (SEVERAL,)
    if place is None or not (greatest or own is not None) or (ENDS in (place, own) and _width(mine) < (SEVERAL,)):
        return None
    what = "greatest numbers" if own is None else STATISTICS[own][0]
    return (
        mine.site, f"the held-out part is scaled with its own {what}",
        f"the columns of this table of {mine.shape[0]} rows were scaled by their {what}, to the last digits, those of "
        f"the one behind training by their own {STATISTICS[place][0]}",
    )  # fmt: skip


def _standards(trace: Trace) -> list[Table]:
    """The tensors made of arrays whose columns were standardised, or stretched from 0 to 1, by themselves."""
    return list(trace.once(_made).values())


def _made(trace: Trace) -> dict[int, Table]:
    ops = [op for op in trace.ops("tensor", "as_tensor", "from_numpy", "tabled") if op.words.get("columns")]
    known = {
        op.n: Table(0, (), tuple(op.words["columns"]), op.site)
        for op in ops
        if any(standard(op.words["columns"], place) for place in OWN) or op.words["columns"][ENDS + 1] < EXACT
    }
    where = {op.n: op.args if op.name == "tabled" else op.out[0][:3:2] for op in ops}
    return {n: table._replace(number=where[n][0], shape=where[n][1]) for n, table in known.items()}


def _handed(trace: Trace) -> dict[int, int]:
    """The tensors that loaders handed out, each with its loader."""
    return {tensor.number: batch.loader for batch in trace.of(Batch) for tensor in batch.tensors}


def _loaded(trace: Trace) -> dict[int, list[Table]]:
    """Of each loader the tables of its data set that were standardised by themselves."""
    sites = {table.number: table.site for table in _standards(trace)}
    return {
        made.loader: [Table(*each, sites.get(each[0], made.site)) for each in made.tables]
        for made in trace.of(LoaderMade) if made.tables
    }  # fmt: skip


def _standard(trace: Trace, call: Forward) -> Table | None:
    """The one that lies behind an input."""
    known = trace.once(_made)
    made = next((known[op.n] for op in trace.chain(call.inputs[0], call.n) if op.n in known), None)
    made = made or next((table for table in known.values() if table.number == call.inputs[0].number), None)
    return made or _of_loader(trace, call, trace.once(_handed), trace.once(_loaded))


def _of_loader(trace: Trace, call: Forward, handed: dict[int, int], loaded: dict[int, list[Table]]) -> Table | None:
    """The one of a loader's data set that is as wide as the rows that it handed out, where there is no other."""
    given = root(trace, call.inputs[0], call.n, SOUND)
    wide = [each for each in loaded.get(handed.get(given.number, 0), ()) if each.shape[1:] == given.shape[1:]]
    return wide[0] if len(wide) == 1 else None


def _width(table: Table) -> tuple[int, ...]:
    return table.shape[1:]


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
    if made.name.endswith("_mean") and made.out[-1].number != mean.number:
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
