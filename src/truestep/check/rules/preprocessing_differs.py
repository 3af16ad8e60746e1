"""The evaluation is fed with data that were prepared in another way than the training data.

What: the training inputs are scaled or normalised and the held-out ones are not, or the held-out part is standardised
with its own mean and deviation, or median and quartiles, or stretched from 0 to 1 by its own least and greatest
numbers, instead of by those of the training part. Or the words of the two are numbered by two mappings, or in two
spellings. Or the targets were scaled for training, and the score compares what the model says with others.

Why: the model sees inputs that it was never trained on, and the score says nothing about it; with statistics of its
own the held-out part even hides the shift that it was held out to show.

Evidence: the range and mean of what the model was given in training and in evaluation, with the arithmetic that lies
behind each; the tensors whose means were subtracted; or columns of both parts that have mean 0 and deviation 1 to the
last digits, or medians of 0 and quartiles 1 apart, or least and greatest numbers of 0 and 1, as no part has by the
statistics of another; of windows the series that they were cut from, with the targets that follow. Of targets: that the
guesses lie where those of training do, and what they are compared with lies five of their ranges off, for like inputs.

False alarms: other data, as points outside of the training range, are prepared alike and are no finding unless their
range is twenty times as large or as small, or just that of the training data before they were scaled by numbers that
are always the same; nor are columns that the statistics of the training part stretch, where the same numbers scaled
both parts and the two had like ranges before; nor are series that were each standardised alone, as those of all persons
may be. Token numbers are no measurements and are not looked at, nor is what weights that learn made of the data: the
layers of a model may be called one by one, and what they hand on moves while they learn.

Mend: one function, with the statistics of the training part, for both.

Wrong:
    x_test = (x_test - x_test.mean()) / x_test.std()

Right:
    x_test = (x_test - x_train.mean()) / x_train.std()
"""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.events import Batch, Forward, LoaderStart, Op
from truestep.check.finding import Finding, Rule
from truestep.check.looks import Seen, Values
from truestep.check.rules import found
from truestep.check.rules._batches import ends, readings, split
from truestep.check.rules._coded import inputs_apart
from truestep.check.rules._raw_targets import raw_targets
from truestep.check.rules._rows import read as told_of
from truestep.check.rules._same_scale import alike_before
from truestep.check.rules._spelt import spelt_apart
from truestep.check.rules._standardised import standardised_apart
from truestep.check.site import Site
from truestep.check.trace import Trace

RULE = Rule("TS478", "preprocessing_differs", "training and evaluation prepare data differently", "error", "data")
ARITHMETIC = {"sub", "add", "div", "mul", "sub_", "add_", "div_", "mul_", "log", "log1p", "sqrt", "clamp", "__rdiv__"}
WHY = "the model is scored on inputs of a kind that it was not trained on"
MEND = "prepare both with one function and the statistics, or the words, of the training part"
TIMES, ROWS, OFTEN = 20.0, 8, 3
NEAR, APART = 0.1, 0.2


def look(trace: Trace) -> Iterator[Finding]:
    """Compare the calls that training came from with those that a score was read from."""
    for told in inputs_apart(trace):
        yield found(RULE, *told, WHY, "make one mapping, of the training part, and use it for both")
    yield from (found(RULE, *told, WHY, MEND, level="warning") for told in spelt_apart(trace))
    for told in raw_targets(trace):
        yield found(
            RULE, *told, "a difference of two units is no error of the model",
            "bring the guesses back, guess * std + mean, or scale these targets by the numbers of training", "warning",
        )  # fmt: skip
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
        apart = standardised_apart(trace, mates, call)
        told = _range(trace, mates, call) or apart or _left_out(trace, mates, call)
        read, joined = ends(trace, call.outputs[0], call.n) if told else (False, False)
        read = read or (apart is not None and (call.outputs[0].number in trace.once(readings) or told_of(trace, call)))
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
    trained = Values(low, high, known[0].mean, True, False)
    if mates[0].inputs[0].shape[0] < ROWS or not values.finite:
        return None
    first, second = _arithmetic(trace, mates[0]), _arithmetic(trace, call)
    if not _apart(trained, values, first != second):
        return None
    if alike_before(trace, call.inputs[0], call.n, trained, lambda one, other: _apart(one, other, True)):
        return None
    done = f"; behind training lie {_list(first)}, behind this {_list(second)}" if first != second else ""
    return (
        None,
        "the evaluated inputs lie where no training input lay",
        f"training inputs ran from {low:.4g} to {high:.4g}, these from {values.low:.4g} to {values.high:.4g}, "
        f"{values.mean:.4g} in the mean{done}",
    )


def _apart(trained: Values, values: Values, otherwise: bool) -> bool:
    """Whether a range is far from another or much wider; of what was made `otherwise`, whether its mean is outside."""
    span, own = trained.high - trained.low, values.high - values.low
    wide = own > TIMES * span or span > TIMES * own
    apart = max(trained.low - values.mean, values.mean - trained.high)
    return span > 0 and own > 0 and (wide or apart > 3 * span or (apart > 0 and otherwise))


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
    lines, both = {(op.site.place, op.name) for op in own.values()}, {_by(op) for op in own.values()}
    left = [op for n, op in sorted(behind.items()) if n not in own and (op.site.place, op.name) not in lines]
    scaling = [op for op in left if _by(op) not in both]
    made = {out.number for op in scaling for out in op.out}
    raw = [op.inputs[0].values for op in scaling if op.inputs[0].number not in made]
    known = [each for each in raw if each is not None]
    given = [each.inputs[0].values for each in mates]
    scaled, values = [each for each in given if each is not None], call.inputs[0].values
    places, alike = {(op.site.place, op.name) for op in behind.values()}, {_by(op) for op in behind.values()}
    strange = any((op.site.place, op.name) not in places and _by(op) not in alike for op in own.values())
    if strange or not known or len(known) < len(raw) or values is None or not _steady(scaling):
        return None
    low, high = min(each.low for each in known), max(each.high for each in known)
    first, last = min(each.low for each in scaled), max(each.high for each in scaled)
    span, width = high - low, values.high - values.low
    there = low - NEAR * span < values.low and values.high < high + NEAR * span and width > span / 2
    moved = max(abs(first - values.low), abs(last - values.high)) > APART * min(width, last - first)
    if not (there and moved and values.finite):
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
        kinds.setdefault((op.site.place, op.name), set()).add(_by(op))
    return all(len(words) == 1 for words in kinds.values())


def _by(op: Op) -> tuple[object, ...]:
    """What a call does to its first argument."""
    return op.name, *(each.number if isinstance(each, Seen) else each for each in op.args[1:])
