"""Arithmetic on bytes wraps round: 200 + 80 is 24, and 3 - 5 is 254.

What: tensors or numpy's arrays of a narrow integer type (uint8, int8, int16) are added, subtracted or multiplied, and
results that do not fit wrap round before anything is converted to float; or a tensor of larger numbers is converted to
such a type, or one of numbers that are all less than 1, so that each becomes 0.

Why: dark pixels become bright and bright ones dark; the data are damaged, and nothing says so.

Evidence: the mean of the result against the mean that the operands call for, and the range of the type; for numpy's
arrays, the operation done again in wide integers while numpy does it; for a conversion, the numbers before it.

False alarms: sums that fit their type are no finding, nor are bitwise operations and comparisons, nor a wrapped result
of which the source takes a remainder or some bits, which it reads with a sign, mends or leaves out. A lone -1 that
becomes 255 is none. Of bytes that are symbols, as those of a cipher are, there is advice: they become places, or a
list, and never floats.

Mend: `images.float()` first, arithmetic afterwards.

Wrong:
    x = (images - mean).float()      # both uint8

Right:
    x = images.float() - mean
"""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.events import Number, Op
from truestep.check.finding import Finding, Rule
from truestep.check.looks import Seen
from truestep.check.rules import found
from truestep.check.trace import Trace

RULE = Rule("TS475", "integer_wrap", "integers wrap round", "error", "data")
WHY = "what was dark is bright and the reverse: the data are damaged in silence"
SCALE = "scale them before the conversion, as by 255, or keep the numbers as floats"
MEND = "convert to float, or to wider integers, before the arithmetic"
PRODUCTS = ("mul", "mul_", "__rmul__")
CONVERSIONS = ("to", "type", "byte", "char", "short")
PLACES = {"scatter_", "scatter_add_", "scatter", "scatter_add", "gather", "embedding", "one_hot", "bincount"}
REMAINDERS = ("remainder", "__mod__", "fmod", "remainder_")
"""A program that takes what is left after 256 reckons modulo 256, on purpose."""
RANGES = {"uint8": (0, 255), "int8": (-128, 127), "int16": (-32768, 32767), "uint16": (0, 65535)}


def look(trace: Trace) -> Iterator[Finding]:
    """Compare the mean of each narrow result with the one that its operands call for."""
    for op in trace.ops("wraps in numpy"):
        words, kind, share = op.args
        evidence = f"done again in wide integers, {100 * share:.2g} % of the results do not fit {kind}"
        yield found(RULE, op.site, f"{words} wraps round in {kind}", evidence, WHY, MEND)
    yield from _converted(trace)
    yield from _cast(trace)
    for op in trace.ops("sub", "add", "add_", "sub_", "__radd__", *PRODUCTS):
        if not op.out or op.out[0].dtype not in RANGES or op.out[0].values is None or len(op.args) < 2:
            continue
        first, second = _mean(op.args[0]), _mean(op.args[1])
        if first is None or second is None or op.words.get("alpha", 1) != 1:
            continue
        if not (_spread(op, op.args[0]) and _spread(op, op.args[1])):
            continue
        if op.name in PRODUCTS and not any(isinstance(each, int) for each in op.args[:2]):
            continue  # the mean of a product is not that of the means
        wanted = _wanted(op.name, first, second)
        got, (low, high) = op.out[0].values.mean, RANGES[op.out[0].dtype]
        modulo = any(part.arg(1, "other") == high - low + 1 for part in trace.ops(*REMAINDERS))
        if abs(got - wanted) > 1e-6 * (high - low) and not modulo and not _signed(trace, op):
            symbols, floats = _used(trace, op)
            if not (op.close or floats):
                continue  # what else became of it was not looked at
            share = abs(got - wanted) / (high - low + 1)
            yield found(
                RULE,
                op.site,
                f"results of {op.name} on {op.out[0].dtype} wrap round",
                f"the mean of the result is {got:.4g} where the operands call for {wanted:.4g}: at least "
                f"{100 * share:.2g} % of the elements left the range {low} to {high} and wrapped",
                WHY,
                MEND,
                level="advice" if symbols and not floats else None,
            )


def _signed(trace: Trace, op: Op) -> bool:
    """Whether the bits of a result are read anew with a sign: a difference of angles or counters, modulo 256."""
    return any(
        user.name == "view" and user.out and user.out[0].dtype.startswith("int")
        for out in op.out if out.dtype.startswith("uint") for user in trace.users(out, op.n)
    )  # fmt: skip


def _used(trace: Trace, op: Op, most: int = 40) -> tuple[bool, bool]:
    """Whether a result is used as places or read as a list, and whether it becomes a number that is reckoned with."""
    lists = {event.of.number for event in trace.of(Number) if event.how == "tolist"}
    waiting, symbols = [(out, op.n) for out in op.out], False
    while waiting and most:
        most -= 1
        one, after = waiting.pop(0)
        symbols = symbols or one.number in lists
        for user in trace.users(one, after):
            if user.name in PLACES:
                symbols = True
            elif any(out.dtype.startswith(("float", "bfloat")) for out in user.out):
                return symbols, True
            else:
                waiting += [(out, user.n) for out in user.out]
    return symbols, False


def _converted(trace: Trace) -> Iterator[Finding]:
    """Numbers that are converted to a narrow type which has no room for them."""
    for op in trace.ops(*CONVERSIONS):
        values = op.inputs[0].values if op.inputs else None
        kind = op.out[0].dtype if op.out else ""
        if values is None or kind not in RANGES or not values.finite or op.inputs[0].dtype == kind:
            continue
        low, high = RANGES[kind]
        if not values.whole and -1 < values.low < values.high < 1:
            yield found(
                RULE, op.site, f"numbers from {values.low:g} to {values.high:g} become {kind}",
                "all of them lie between -1 and 1, so that each one becomes 0", WHY, SCALE,
            )  # fmt: skip
            return
        if int(values.high) > high or (int(values.low) < low and (values.low != -1 or not values.whole)):
            yield found(
                RULE, op.site, f"numbers from {values.low:g} to {values.high:g} become {kind}",
                f"{kind} has room for {low} to {high}; what lies outside comes out as another number",
                WHY, "clamp before the conversion, or keep the numbers as floats",
            )  # fmt: skip
            return


def _cast(trace: Trace) -> Iterator[Finding]:
    """The same of numpy's arrays; whole numbers may be cut to their last byte on purpose."""
    for op in trace.ops("converts in numpy"):
        kind, low, high, outside, between, whole = op.args
        bounds = RANGES[kind]
        told = (
            f"{100 * outside:.3g} % of them have no room between {bounds[0]} and {bounds[1]}, and come out as another "
            "number" if outside else f"{100 * between:.3g} % of them lie between two whole numbers, and all become 0"
        )  # fmt: skip
        fix = "clip before the conversion, or keep the numbers as floats" if outside else SCALE
        level = "warning" if whole else None
        yield found(RULE, op.site, f"numbers from {low:g} to {high:g} become {kind}", told, WHY, fix, level=level)


def _wanted(name: str, first: float, second: float) -> float:
    """The mean of a result, from those of the operands."""
    if name in PRODUCTS:
        return first * second
    return first - second if "sub" in name else first + second


def _mean(value: object) -> float | None:
    if isinstance(value, Seen):
        return None if value.values is None else value.values.mean
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _spread(op: Op, value: object) -> bool:
    """Whether an operand's mean counts the same in the result: a number, one element, or each element equally often."""
    if not isinstance(value, Seen):
        return True
    whole = 1
    for length in op.out[0].shape:
        whole *= length
    own = 1
    for length in value.shape:
        own *= length
    return own > 0 and whole % own == 0
