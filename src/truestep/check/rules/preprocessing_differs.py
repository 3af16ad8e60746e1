"""The evaluation is fed with data that were prepared in another way than the training data.

What: the training inputs are scaled or normalised and the held-out ones are not, or the held-out part is standardised
with its own mean and deviation, or stretched from 0 to 1 by its own least and greatest numbers, instead of by those of
the training part. Or the words of the two are numbered by two mappings, or in two spellings.

Why: the model sees inputs that it was never trained on, and the score says nothing about it; with statistics of its
own the held-out part even hides the shift that it was held out to show.

Evidence: the range and mean of what the model was given in training and in evaluation, with the arithmetic that lies
behind each; the tensors whose means were subtracted; or columns of both parts that have mean 0 and deviation 1 to the
last digits, or least and greatest numbers of 0 and 1, as no part has by the statistics of another.

False alarms: other data, as points outside of the training range, are prepared alike and are no finding unless their
range is twenty times as large or as small, or just that of the training data before they were scaled by numbers that
are always the same. Token numbers are no measurements and are not looked at, nor is what weights that learn made of
the data: the layers of a model may be called one by one, and what they hand on moves while they learn.

Mend: one function, with the statistics of the training part, for both.

Wrong:
    x_test = (x_test - x_test.mean()) / x_test.std()

Right:
    x_test = (x_test - x_train.mean()) / x_train.std()
"""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.events import Batch, Forward, LoaderMade, LoaderStart, Op
from truestep.check.finding import Finding, Rule
from truestep.check.looks import Seen, Values
from truestep.check.rules import found
from truestep.check.rules._batches import ends, split
from truestep.check.rules._chains import root
from truestep.check.rules._coded import coded_apart
from truestep.check.rules._spelt import spelt_apart
from truestep.check.site import Site
from truestep.check.trace import Trace

RULE = Rule("TS478", "preprocessing_differs", "training and evaluation prepare data differently", "error", "data")
ARITHMETIC = {"sub", "add", "div", "mul", "sub_", "add_", "div_", "mul_", "log", "log1p", "sqrt", "clamp", "__rdiv__"}
WHY = "the model is scored on inputs of a kind that it was not trained on"
MEND = "prepare both with one function and the statistics, or the words, of the training part"
TIMES, ROWS, OFTEN, SEVERAL, EXACT = 20.0, 8, 3, 3, 1e-4
NEAR, APART = 0.1, 0.2
TAKEN = {"mean": "mean", "amin": "least number", "min": "least number"}


def look(trace: Trace) -> Iterator[Finding]:
    """Compare the calls that training came from with those that a score was read from."""
    for told in coded_apart(trace):
        yield found(RULE, *told, WHY, "make one mapping, of the training part, and use it for both")
    yield from (found(RULE, *told, WHY, MEND, level="warning") for told in spelt_apart(trace))
    trained, others = split(trace)
    calls: dict[int, list[Forward]] = {}
    for call in trained:
        given = call.inputs[0] if call.inputs else None
        if given and given.values and not given.maker and given.dtype.startswith(("float", "bfloat")):
            calls.setdefault(call.module, []).append(call)
    said: set[tuple[str, int]] = set()
    for call in others:
        mates = calls.get(call.module, [])
        if len(mates) < OFTEN or not call.inputs or not call.inputs[0].values or not call.outputs:
            continue
        if call.site.place in said or call.inputs[0].shape[1:] != mates[0].inputs[0].shape[1:]:
            continue
        told = (
            _range(trace, mates, call)
            or _own(trace, mates, call)
            or _same_line(trace, mates, call)
            or _left_out(trace, mates, call)
            or _whole(trace, mates, call)
        )
        read, joined = ends(trace, call.outputs[0], call.n) if told else (False, False)
        if told and read and not joined:
            said.add(call.site.place)
            site, message, evidence = told
            yield found(RULE, site or call.site, message, evidence, WHY, MEND)


def _range(trace: Trace, mates: list[Forward], call: Forward) -> tuple[Site | None, str, str] | None:
    values = call.inputs[0].values
    seen = [mate.inputs[0].values for mate in mates]
    known: list[Values] = [each for each in seen if each is not None]
    if values is None or not call.inputs[0].shape or call.inputs[0].shape[0] < ROWS:
        return None
    low, high = min(each.low for each in known), max(each.high for each in known)
    span, own = high - low, values.high - values.low
    if not (span > 0 and own > 0 and values.finite) or mates[0].inputs[0].shape[0] < ROWS:
        return None
    wide = own > TIMES * span or span > TIMES * own
    apart = max(low - values.mean, values.mean - high)
    first, second = _arithmetic(trace, mates[0]), _arithmetic(trace, call)
    if not (wide or apart > 3 * span or (apart > 0 and first != second)):
        return None
    done = f"; behind training lie {_list(first)}, behind this {_list(second)}" if first != second else ""
    return (
        None,
        "the evaluated inputs lie where no training input lay",
        f"training inputs ran from {low:.4g} to {high:.4g}, these from {values.low:.4g} to {values.high:.4g}, "
        f"{values.mean:.4g} in the mean{done}",
    )


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "no arithmetic"


def _arithmetic(trace: Trace, call: Forward) -> set[str]:
    """The arithmetic behind an input: in the ops it was made by, and in the fetching of its loader's first batch."""
    found = {op.name for op in trace.chain(call.inputs[0], call.n) if op.name in ARITHMETIC and not op.within}
    batches = [batch for batch in trace.of(Batch) if batch.n < call.n]
    numbers = {each.number for op in trace.chain(call.inputs[0], call.n) for each in op.inputs}
    numbers.add(call.inputs[0].number)
    if batches and any(each.number in numbers for each in batches[-1].tensors):
        run = batches[-1].run
        start = next((event.n for event in trace.of(LoaderStart) if event.run == run), 0)
        first = next((batch.n for batch in batches if batch.run == run), 0)
        found |= {op.name for op in trace.between(start, first, Op) if op.name in ARITHMETIC}
    return found


def _left_out(trace: Trace, mates: list[Forward], call: Forward) -> tuple[Site | None, str, str] | None:
    """Whether what was evaluated lies where the training data lay before they were scaled, and was not scaled."""
    behind = {op.n: op for mate in mates[:OFTEN] for op in _scaling(trace, mate)}
    own = {op.n: op for op in _scaling(trace, call)}
    lines = {(op.site.place, op.name) for op in own.values()}
    scaling = [op for n, op in sorted(behind.items()) if n not in own and (op.site.place, op.name) not in lines]
    made = {out.number for op in scaling for out in op.out}
    raw = [op.inputs[0].values for op in scaling if op.inputs[0].number not in made]
    known = [each for each in raw if each is not None]
    given = [each.inputs[0].values for each in mates]
    scaled, values = [each for each in given if each is not None], call.inputs[0].values
    strange = lines - {(op.site.place, op.name) for op in behind.values()}
    if strange or not known or len(known) < len(raw) or values is None or not _steady(scaling):
        return None
    low, high = min(each.low for each in known), max(each.high for each in known)
    first, last = min(each.low for each in scaled), max(each.high for each in scaled)
    span, width = high - low, values.high - values.low
    alike = low - NEAR * span < values.low and values.high < high + NEAR * span and width > span / 2
    moved = max(abs(first - values.low), abs(last - values.high)) > APART * min(width, last - first)
    if not (alike and moved and values.finite):
        return None
    return (
        None,
        "the evaluated inputs are not scaled as the training inputs are",
        f"{', '.join(dict.fromkeys(op.name for op in scaling))} on line {scaling[0].site.line} takes the training data "
        f"from {low:.4g} to {high:.4g} to {first:.4g} to {last:.4g}; the evaluated ones run from {values.low:.4g} to "
        f"{values.high:.4g}, and nothing like it is behind them",
    )


def _scaling(trace: Trace, call: Forward) -> list[Op]:
    """The sums and products behind an input, those on items that its loader fetched for its first batch too."""
    chain = list(trace.chain(call.inputs[0], call.n))
    found = [op for op in chain if op.name in ARITHMETIC and not op.within]
    numbers = {call.inputs[0].number, *(each.number for op in chain for each in op.inputs)}
    batches = (batch for batch in reversed(trace.of(Batch)) if batch.n < call.n)
    last = next(batches, None)
    if last is not None and any(each.number in numbers for each in last.tensors):
        start = next((event.n for event in trace.of(LoaderStart) if event.run == last.run), 0)
        first = next((batch.n for batch in trace.of(Batch) if batch.run == last.run), 0)
        shape = call.inputs[0].shape[1:]
        fetched = (op for op in trace.between(start, first, Op) if op.name in ARITHMETIC and op.out)
        found += [op for op in fetched if op.out[0].shape == shape]
    return found


def _steady(scaling: list[Op]) -> bool:
    """Whether each line works with the same numbers always: what is drawn anew is augmentation, and not for all."""
    kinds: dict[tuple[tuple[str, int], str], set[tuple[object, ...]]] = {}
    for op in scaling:
        words = tuple(each.number if isinstance(each, Seen) else each for each in op.args[1:])
        kinds.setdefault((op.site.place, op.name), set()).add(words)
    return all(len(words) == 1 for words in kinds.values())


def _own(trace: Trace, mates: list[Forward], call: Forward) -> tuple[Site | None, str, str] | None:
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


def _same_line(trace: Trace, mates: list[Forward], call: Forward) -> tuple[Site | None, str, str] | None:
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


def _whole(trace: Trace, mates: list[Forward], call: Forward) -> tuple[Site | None, str, str] | None:
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
    if made is None or made.name not in ("mean", "amin", "min") or not made.inputs or not _one(trace, made, op):
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
    if plain[0] != plain[1] or one.words.keys() != other.words.keys() or len(one.inputs) != len(other.inputs):
        return False
    pairs = zip(one.inputs, other.inputs, strict=True)
    return all(_alike(trace, each, one.n, mate, other.n, depth - 1) for each, mate in pairs)
