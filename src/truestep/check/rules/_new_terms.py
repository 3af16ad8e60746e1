"""Terms of a loss that are new tensors made of numbers: they move nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from truestep.check.events import Forward, Number, Op
from truestep.check.looks import Seen
from truestep.check.rules._chains import SHAPES
from truestep.check.rules._numbered import ADDS
from truestep.check.site import Site
from truestep.check.trace import Trace

OFTEN = 4
MAKES = ("tensor", "as_tensor", "from_numpy", "scalar_tensor")
READS = {"numpy", "__array__", "tolist", "item", "__float__"}
SCALES = SHAPES | {"mul", "div", "mean", "sum", "pow", "sqrt", "abs", "square"}


def renewed_terms(trace: Trace) -> list[tuple[Site, str, str, str, str]]:
    """New tensors made of numbers, and added to a loss after something that could be differentiated was read."""
    lines: dict[tuple[str, int], dict[int, tuple[Op, Number]]] = defaultdict(dict)
    passes = [event for event in trace.backwards() if event.close and len(event.roots) == 1]
    for event in passes if trace.ops(*MAKES) else ():
        for made in _made(trace, event.roots[0], event.n):
            read = _read(trace, made)
            if read is not None:
                lines[made.site.place][event.update] = made, read
    for seen in lines.values():
        values = {_value(made) for made, _ in seen.values()}  # a sum that begins at 0 adds the same one each time
        if len(values - {None}) >= OFTEN and 2 * len(seen) > len(passes):
            made, read = next(iter(seen.values()))
            return [(
                made.site,
                "a term of the loss is a new tensor made of numbers: no gradient gets past it",
                f"at {len(seen)} of {len(passes)} passes looked at the loss was the sum of what could be "
                f"differentiated and of a tensor that {made.name}() made anew; line {read.site.line} had "
                f"read ({read.how}) what the model gave without its gradient",
                "a number added to a loss changes what is printed and no gradient",
                "make the term of attached tensors, by torch alone",
            )]  # fmt: skip
    return []


def _value(made: Op) -> object:
    """The number, or the rows, that a tensor was made of; None where these are not known."""
    number = made.args[0] if made.args and isinstance(made.args[0], float) else None
    return number if number is not None else made.out[0].rows or None


def _made(trace: Trace, root: Seen, before: int, most: int = 16) -> Iterator[Op]:
    """The calls that made a term of a sum of numbers alone."""
    waiting = [(root, before)]
    for _ in range(most):
        if not waiting:
            return
        seen, limit = waiting.pop(0)
        op = trace.maker(seen, limit)
        if op is None:
            continue
        inner = [each for each in op.inputs if each.needs_grad]
        if op.name in ADDS | {"sub"} and len(op.inputs) == 2:
            waiting += [(each, op.n) for each in inner]
            plain = [_origin(trace, each, op.n) for each in op.inputs if not each.needs_grad]
            yield from (each for each in plain if each is not None)
        elif len(op.inputs) == 1 and inner and op.name in ADDS | {"sub", "mul", "div"}:
            waiting.append((inner[0], op.n))


def _origin(trace: Trace, seen: Seen, before: int) -> Op | None:
    """The call that made a tensor of numbers, behind calls that scale or average it."""
    for _ in range(8):
        op = trace.maker(seen, before)
        if op is None or op.name in MAKES:
            return op if op is not None and not op.inputs and not op.within else None
        if op.name not in SCALES or len(op.inputs) != 1:
            return None
        seen, before = op.inputs[0], op.n
    return None


def _read(trace: Trace, made: Op) -> Number | None:
    """What was read of a model's outputs without their gradient between its call and this one, in the same update."""
    calls = [event for event in trace.of(Forward) if event.depth == 0 and event.update == made.update]
    since = max((event.began for event in calls if event.n < made.n and event.grad), default=made.n)
    for number in trace.between(since, made.n, Number):
        if number.how in READS and (number.of.needs_grad or _detached(trace, number.of, number.n)):
            return number
    return None


def _detached(trace: Trace, seen: Seen, before: int) -> bool:
    """Whether a tensor was cut off from what could be differentiated."""
    for _ in range(6):
        op = trace.maker(seen, before)
        if op is None or not op.inputs:
            return False
        if op.name in ("detach", "data"):
            return op.inputs[0].needs_grad and not op.inputs[0].leaf
        seen, before = op.inputs[0], op.n
    return False
