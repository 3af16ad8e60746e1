"""Terms of a loss behind a step, as a choice, a comparison or a rounding: flat wherever they can be differentiated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from truestep.check.events import Op
from truestep.check.finding import Level
from truestep.check.looks import Seen
from truestep.check.rules._numbered import ADDS
from truestep.check.rules._rounded import FLAT
from truestep.check.site import Site
from truestep.check.trace import Trace

OFTEN, MOST = 4, 80
CHOOSES = {"argmax", "argmin", "gt", "ge", "lt", "le", "eq", "ne", "int", "long", "bool", "to", "max", "min", "topk"}
CUTS = {"detach", "data", "item", "numpy", "__array__", "tolist"}


def stepped_terms(trace: Trace) -> list[tuple[Site, str, str, str, str, Level]]:
    """Terms that are added to a loss, and that depend on what the model gave by way of a step alone."""
    lines: dict[tuple[str, int], dict[int, tuple[Op, Op]]] = defaultdict(dict)
    passes = [event for event in trace.backwards() if event.close and len(event.roots) == 1]
    for event in passes if trace.ops(*CHOOSES, *FLAT) else ():
        for at, term in _terms(trace, event.roots[0], event.n):
            step = _step(trace, term, at.n)
            if step is not None:
                lines[step.site.place][event.update] = at, step
    for seen in lines.values():
        if len(seen) >= OFTEN and 2 * len(seen) > len(passes):
            at, step = next(iter(seen.values()))
            return [(
                step.site,
                f"a term of the loss is made of what {step.name}() gave: no gradient gets past it",
                f"at {len(seen)} of {len(passes)} passes looked at the loss was a sum with a term (line "
                f"{at.site.line}) that depends on the model by way of {step.name}() alone, which is the same for "
                "all weights near by",
                "a term without a gradient changes what is printed, and nothing is learned of it",
                "make the term of something smooth: probabilities, an expected value, the numbers before the step",
                "warning",
            )]  # fmt: skip
    return []


def _terms(trace: Trace, root: Seen, before: int) -> Iterator[tuple[Op, Seen]]:
    """What a loss is the sum of, beside what else has a gradient: each with the call that added it."""
    waiting = [(root, before)]
    for _ in range(16):
        if not waiting:
            return
        seen, limit = waiting.pop(0)
        op = trace.maker(seen, limit)
        if op is None:
            continue
        if op.name in ADDS | {"sub"} and len(op.inputs) == 2:
            for one, other in (op.inputs, op.inputs[::-1]):
                if not one.shape and other.needs_grad:
                    yield op, one
            waiting += [(each, op.n) for each in op.inputs if each.needs_grad]
        elif len(op.inputs) == 1 and op.inputs[0].needs_grad and op.name in ADDS | {"sub", "mul", "div"}:
            waiting.append((op.inputs[0], op.n))


def _step(trace: Trace, term: Seen, before: int) -> Op | None:
    """The step behind a term; None where anything else of the model reaches it, or it was cut off on purpose."""
    waiting, found, known = [(term, before)], None, set[int]()
    while waiting:
        seen, limit = waiting.pop()
        op = trace.maker(seen, limit)
        if op is None or op.n in known:
            if op is None and seen.needs_grad:
                return None
            continue
        known.add(op.n)
        if len(known) > MOST or op.name in CUTS or not op.grad or _in_model(trace, op):
            return None
        if op.name == "mul" and 0 in op.args:
            return None
        moved = any(each.needs_grad and not each.leaf for each in op.inputs)
        if moved and (op.name in FLAT or (op.name in CHOOSES and not seen.needs_grad)):
            found = op
            continue
        if seen.needs_grad and any(each.leaf and each.needs_grad for each in op.inputs):
            return None
        waiting += [(each, op.n) for each in op.inputs if each.needs_grad or not seen.needs_grad]
    return found


def _in_model(trace: Trace, op: Op) -> bool:
    """Whether a call is one of a module that learns, and not of a loss that is a module."""
    return any(number not in trace.modules or trace.modules[number].parameters for number in op.within)
