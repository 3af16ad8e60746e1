"""Training by torch.func and the like: new weights at each step, and those that are used stay as they were."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from truestep.check.changes import Backward
from truestep.check.events import Forward, Op
from truestep.check.looks import Seen
from truestep.check.rules._rows import scored
from truestep.check.trace import Trace

SUMS = {"sub", "add", "__sub__", "__add__", "addcmul", "addcdiv", "lerp", "sub_", "add_"}
COPIES = {"detach", "clone", "requires_grad_", "data", "requires_grad="}
OFTEN = 4


class Thrown(NamedTuple):
    """New values that nobody reads: the first call, how many of them, for how many tensors."""

    op: Op
    times: int
    tensors: int


class Unmet(NamedTuple):
    """A call that scores a module whose weights were trained outside of it, and for how many passes."""

    call: Forward
    times: int
    passes: int


def thrown(trace: Trace) -> Iterator[Thrown]:
    """Lines that make new weights of the same old ones and the gradients of torch.func, again and again, for nobody."""
    lines: dict[tuple[str, int], dict[int, list[Op]]] = defaultdict(lambda: defaultdict(list))
    for op, old in _steps(trace):
        lines[op.site.place][old.number].append(op)
    for held in lines.values():
        first = min(ops[0].n for ops in held.values())
        written = {op.inputs[0].storage for op in trace.of(Op) if op.n > first and op.inputs and _writes(op.name)}
        stuck = [ops for ops in held.values() if _stuck(trace, ops, written)]
        if stuck and len(stuck) == len(held):
            yield Thrown(stuck[0][0], sum(map(len, stuck)), len(stuck))


def unmet(trace: Trace) -> Iterator[Unmet]:
    """Modules that lend their forward to weights of a dict, and are scored with their own, which nobody changed."""
    scores: dict[int, list[Forward]] = defaultdict(list)
    for call in trace.of(Forward):
        if call.depth == 0 and not call.grad:
            scores[call.module].append(call)
    if not scores or not _walks(trace):
        return
    passes = [event for event in trace.of(Backward) if event.close and not event.nested]
    for module, calls in scores.items():
        met = [call for call in calls if call.close and scored(trace, call)]
        if len(met) < 2 or len({call.weights for call in calls if call.close}) != 1 or not met[0].weights:
            continue
        through = [event for event in passes if any(module in op.within for op in trace.behind(event, 60))]
        own = [event for event in through if any(leaf.parameter for leaf in event.leaves)]  # the first one, where the
        between = [event for event in through if met[0].n < event.n < met[-1].n]  # dict began as the module's own
        if len(between) >= OFTEN and len(own) < 2:
            yield Unmet(met[-1], len(met), len(through))


def _steps(trace: Trace) -> Iterator[tuple[Op, Seen]]:
    """The calls that make a new value of a tensor out of a gradient that torch.func gave, with the tensor."""
    passes = [event for event in trace.of(Backward) if event.how == "grad" and event.close]
    shapes = {leaf.shape for event in passes for leaf in event.leaves if leaf.weight is None}
    for op in trace.ops(*SUMS) if shapes else ():
        if len(op.inputs) < 2 or not op.out or op.module or op.n < passes[0].n:
            continue
        for old, other in (op.inputs[:2], op.inputs[1::-1]):
            if old.shape == op.out[0].shape and old.shape in shapes and _given(trace, other, op.n, old.shape):
                yield op, old
                break


def _given(trace: Trace, seen: Seen, before: int, shape: tuple[int, ...]) -> bool:
    """Whether a tensor was made of what came out of torch.func: nobody saw it being made."""
    ops = list(trace.chain(seen, before, 8))
    last = ops[-1].inputs[0] if ops and ops[-1].inputs else seen
    learned = last.needs_grad and last.leaf  # what torch.func makes of weights that need a gradient needs one too
    return shape in (last.shape, last.shape[1:]) and not learned and trace.maker(last, before) is None


def _writes(name: str) -> bool:
    return name in ("__setitem__", "data=") or (name.endswith("_") and not name.endswith("__") and name not in COPIES)


def _stuck(trace: Trace, ops: list[Op], written: set[int]) -> bool:
    """Whether the same tensor gave a new value at each pass, was never written into, and nobody read what it gave."""
    old = next(each for each in ops[0].inputs[:2] if each.shape == ops[0].out[0].shape)
    return len(ops) >= OFTEN and old.storage not in written and all(unread(trace, op) for op in ops)


def unread(trace: Trace, op: Op) -> bool:
    """Whether nothing but copies was made of what a call gave."""
    waiting = [(op.out[0], op.n)]
    for _ in range(8):
        if not waiting:
            return True
        seen, after = waiting.pop()
        for user in trace.users(seen, after):
            if user.name not in COPIES:
                return False
            waiting += [(each, user.n) for each in user.out]
    return False


def _walks(trace: Trace) -> bool:
    """Whether new weights become the old ones of the next step."""
    made: set[int] = set()
    walked = 0
    for op, old in _steps(trace):
        origin = trace.maker(old, op.n)
        before = origin.inputs[0].number if origin is not None and origin.name in COPIES and origin.inputs else 0
        walked += old.number in made or before in made
        made.add(op.out[0].number)
    return walked >= OFTEN
