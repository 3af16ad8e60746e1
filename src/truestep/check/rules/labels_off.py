"""The labels are not the numbers that the loss or the score expects.

What: two parts of the data number the classes each in its own way; labels from 1 to K are compared with classes from 0
to K - 1, or the targets are one off from the labels that the score uses, or the predicted classes are moved by one and
the labels are not; or a binary loss, torch's or one by hand, is given -1 and 1, or any target outside 0 to 1; or a loss
with a margin, whose targets are -1 and 1, is given 0 and 1; or a label of a CTC loss has the number of its blank.

Why: a class is never predicted right, or the loss falls without end because its target lies outside its domain.

Evidence: the least and greatest label against the number of classes, in training and in the score; the least and
greatest target of a binary cross entropy; the mappings, or lists of classes, beside which labels became tensors, where
these give words that both hold other numbers; or, late in a run, most samples of each class are guessed to be of one
class, never the same for two, and for three or more it is not the one of the label.

False alarms: a label that is to be ignored (-100, 255) lies far outside and not one off, and is no finding.

Mend: one numbering of the classes, from 0, where the data are read; `(y + 1) / 2` for -1 and 1.

Wrong:
    loss = loss_fn(model(x), rating - 1)
    accuracy = (model(x).argmax(1) == rating).float().mean()

Right:
    label = rating - 1
"""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.events import Op
from truestep.check.finding import Finding, Rule
from truestep.check.looks import Seen, Values
from truestep.check.rules import found
from truestep.check.rules._coded import targets_apart
from truestep.check.rules._margins import unsigned
from truestep.check.rules._renamed import KEEPS, renamed
from truestep.check.trace import Trace

RULE = Rule("TS474", "labels_off", "labels outside what is expected of them", "error", "data")
WHY = "the labels of the score and those of training are one apart, so right answers count as wrong"
ONE_TABLE = "make one table of the classes, of the training part, and number all parts of the data by it"
MEND = "number the classes from 0 in one place, where the data are read"
BINARY = ("binary_cross_entropy", "binary_cross_entropy_with_logits")


def look(trace: Trace) -> Iterator[Finding]:
    """Look at the targets of binary losses, then at what predicted classes are compared with."""
    for loss in trace.losses():
        values = loss.target.values
        if loss.name in BINARY and values and values.finite and (values.low < -1e-3 or values.high > 1.001):
            yield found(
                RULE, loss.op.site, f"a binary loss has targets from {values.low:g} to {values.high:g}",
                f"{loss.name} takes targets from 0 to 1; outside it has no least value",
                "the loss falls without end while the outputs grow", "map the labels to 0 and 1 where they are read",
            )  # fmt: skip
    yield from _by_hand(trace)
    yield from _blank(trace)
    for site, message, evidence, level in unsigned(trace):
        yield found(
            RULE, site, message, evidence, "one of the two classes is not learned, or only by what the other one says",
            "map the labels to -1 and 1: 2 * y - 1", level=level,
        )  # fmt: skip
    for told in targets_apart(trace):
        yield found(RULE, *told, "right answers count as wrong", ONE_TABLE)
        return
    for one in renamed(trace):
        names = ", ".join(f"{label} as {name}" for label, name in list(one.names.items())[:6])
        yield found(
            RULE, one.site, "the labels of the score go by another numbering than those of training",
            f"{one.equal} of {one.compared} late guesses are equal to the labels, yet each class is known by a number "
            f"of its own: the model sees {names}",
            "right answers count as wrong", ONE_TABLE,
        )  # fmt: skip
        return
    trained = _trained(trace)
    for op in trace.ops("eq"):
        for guess, label in (op.inputs, op.inputs[::-1]) if len(op.inputs) == 2 else ():
            told = _off(trace, op, guess, label, trained)
            if told:
                yield told


def _shift(op: Op) -> float:
    """By how much a call moves whole numbers: one up, or one down; 0 for any other call."""
    by = op.arg(1, "other")
    if op.name not in ("add", "sub") or len(op.inputs) != 1 or by not in (1, -1) or isinstance(by, bool):
        return 0.0
    return float(by) if op.name == "add" else -float(by)


def _blank(trace: Trace) -> Iterator[Finding]:
    """A CTC loss whose labels hold the number of the blank."""
    calls = [op for op in trace.ops("ctc_loss") if op.words.get("blanks")]
    if calls:
        yield found(
            RULE, calls[0].site, f"a label of the CTC loss has the number of its blank, {calls[0].arg(4, 'blank', 0)}",
            f"{calls[0].words['blanks']} labels of the first of {len(calls)} such calls, within the lengths of their "
            "sequences", "what stands for that label is read as nothing: it is never part of an answer",
            "number the labels from 1 where the blank is 0",
        )  # fmt: skip


def _by_hand(trace: Trace) -> Iterator[Finding]:
    """A cross entropy by hand, b log p + (1 - b) log(1 - p), whose targets b are outside of 0 and 1."""
    for op in trace.ops("sub"):
        seen, values = (op.inputs[0], op.inputs[0].values) if len(op.inputs) == 1 else (None, None)
        if seen is None or values is None or seen.needs_grad or op.args[0] not in (1, 1.0) or not values.finite:
            continue
        if values.low >= -1e-3 and values.high <= 1.001:
            continue
        weighed = [[user for user in trace.users(each, 0) if _logged(trace, user)] for each in (seen, op.out[0])]
        if all(weighed):
            yield found(
                RULE, weighed[0][0].site, f"a binary loss has targets from {values.low:g} to {values.high:g}",
                f"logarithms of probabilities are weighed with them and with 1 less them (line {op.site.line}), which "
                "has a least value for targets from 0 to 1 only",
                "the loss falls without end while the outputs grow", "map the labels to 0 and 1 where they are read",
            )  # fmt: skip
            return


def _logged(trace: Trace, user: Op) -> bool:
    """A product with a logarithm that has a gradient."""
    makers = [trace.maker(each, user.n) for each in user.inputs if each.needs_grad]
    return user.name == "mul" and any(made is not None and made.name == "log" for made in makers)


def _trained(trace: Trace) -> dict[int, tuple[float, float, int]]:
    """By the number of classes, the least and greatest class that training had as its target, and how often seen."""
    found: dict[int, tuple[float, float, int]] = {}
    for loss in trace.losses():
        shape = loss.prediction.shape
        if loss.name in ("cross_entropy", "nll_loss") and len(shape) >= 2 and loss.prediction.needs_grad:
            _add(found, shape[1], loss.target.values, loss.target)
    for op in trace.ops("scatter_", "scatter"):
        index = op.arg(2, "index")
        if isinstance(index, Seen) and op.out and len(op.out[0].shape) == 2 and op.arg(3, "value") in (1, 1.0):
            _add(found, op.out[0].shape[1], index.values, index)
    return found


def _add(found: dict[int, tuple[float, float, int]], classes: int, values: Values | None, target: Seen) -> None:
    if values is not None and not target.dtype.startswith("float"):
        low, high, number = found.get(classes, (values.low, values.high, 0))
        found[classes] = (min(low, values.low), max(high, values.high), number + 1)


def _off(
    trace: Trace, op: Op, guess: Seen, label: Seen, trained: dict[int, tuple[float, float, int]]
) -> Finding | None:
    """Whether a predicted class, just as argmax gave it, is compared with labels that are one off."""
    made, moved = trace.maker(guess, op.n), 0.0
    while made is not None and made.inputs and (made.name in KEEPS or _shift(made)):
        moved += _shift(made)
        made = trace.maker(made.inputs[0], made.n)
    values = label.values
    if made is None or made.name not in ("argmax", "max") or values is None or not values.whole or not made.inputs:
        return None
    shape = made.inputs[0].shape
    if len(shape) != 2 or values.high - values.low < 1 or label.shape[:1] != shape[:1]:
        return None
    classes = shape[1]
    low, high, number = trained.get(classes, (0.0, 0.0, 0))
    above = values.high == classes and values.low >= 1 and not moved
    apart = number and high - low == values.high - values.low and low - values.low in (-1, 0, 1)
    alike = high - low == classes - 1 or (moved and (low, high) == (values.low, values.high))
    shifted = apart and low + moved != values.low and alike
    if not (above or shifted or (apart and not moved and low != values.low)):
        return None
    if moved:
        told = f"the predicted classes 0 to {classes - 1} are moved by {moved:g}"
        return found(
            RULE, op.site, f"{told}, and then compared with labels from {values.low:g} to {values.high:g}",
            f"training had targets from {low:g} to {high:g} over the same {classes} outputs, so class {low:g} is "
            f"called {low + moved:g} here",
            WHY, MEND,
        )  # fmt: skip
    said = f", while training had targets from {low:g} to {high:g}" if number else ""
    return found(
        RULE, op.site, f"labels from {values.low:g} to {values.high:g} are compared with classes 0 to {classes - 1}",
        f"argmax over {classes} outputs is compared with labels from {values.low:g} to {values.high:g}{said}",
        WHY, MEND,
    )  # fmt: skip
