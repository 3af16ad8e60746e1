"""Codes that a decoder is given without their gradient, so that what encodes learns from its distance to them alone.

The distance is to a code that was chosen by what was encoded, and that nothing but the table of codes has part in: no
sample, and no target. What it trains never hears of the data.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from truestep.check.changes import Backward
from truestep.check.events import Op
from truestep.check.looks import Seen
from truestep.check.rules._chains import SHAPES
from truestep.check.rules._facts import loaded
from truestep.check.rules._sums import cuts, terms, weights
from truestep.check.rules._words import plural
from truestep.check.site import Site
from truestep.check.trace import LOSSES, Trace

MEETS = LOSSES | {"sub", "pairwise_distance", "cosine_similarity", "dist"}
CHOOSES = {
    "argmin", "argmax", "min", "max", "topk", "sort", "argsort", "multinomial", "searchsorted", "bucketize", "round",
    "sign",
}  # fmt: skip
"""Calls by which one of several codes is taken."""
FIXED = {"zeros", "ones", "full", "eye", "arange", "tensor", "empty", "scalar_tensor"}
DEEP = 400


class Term(NamedTuple):
    """A term of a loss: the weights that it trains; for a distance to its own code, what was encoded (else nothing)."""

    seen: Seen
    before: int
    weights: frozenset[int]
    encoded: frozenset[int]


def own_codes(trace: Trace) -> list[tuple[Site, str, str, str, str]]:
    """The first line at which codes lose their gradient, where nothing else trains what encodes."""
    if not trace.ops(*CHOOSES):
        return []
    passes = [each for each in trace.of(Backward) if each.close and not each.nested]
    for op, times, numbers in cuts(passes, lambda event: _cut(trace, event)):
        numbers -= loaded(trace)
        if numbers and all(_alone(trace, event, numbers) for event in passes):
            first = min(numbers)
            return [(
                op.site,
                f"what {op.name}() gives has no gradient to what it was made of: the distance to its own code is all "
                f"that {plural(len(numbers), 'parameter')} behind it learn{'s' if len(numbers) == 1 else ''} from",
                f"at {times} passes the code went on into another term without a gradient to {trace.name(first)}, "
                "and the only terms that reach it compare what it gave with the code that was chosen for that",
                "what encodes never hears of the data: it only moves towards the codes that it happens to be near to",
                "pass the gradient straight through: code = z + (code - z).detach()",
            )]  # fmt: skip
    return []


def _alone(trace: Trace, event: Backward, numbers: frozenset[int]) -> bool:
    """Whether no term of a pass but distances to their own codes reaches these parameters."""
    if not numbers & {leaf.number for leaf in event.leaves}:
        return True
    told = _terms(trace, event)
    return all(one.encoded or not one.weights & numbers for one in told)


def _cut(trace: Trace, event: Backward) -> tuple[Op, frozenset[int]] | None:
    """The call that cuts off the codes in this pass, and what then learns from its distance to them alone."""
    told = _terms(trace, event)
    own = [one for one in told if one.encoded]
    rest = [one for one in told if not one.encoded]
    mine = frozenset[int]().union(*(one.weights for one in own)) - frozenset[int]().union(
        *(one.weights for one in rest)
    )
    encoded = frozenset[int]().union(*(one.encoded for one in own))
    for one in rest if mine else ():
        op = _lost(trace, one, encoded)
        if op is not None:
            return op, mine
    return None


def _terms(trace: Trace, event: Backward) -> list[Term]:
    """The terms of the roots of a pass; what cannot be seen through may train whatever the pass reaches."""
    reached = frozenset(leaf.number for leaf in event.leaves)
    found: list[Term] = []
    for seen, before in ((seen, n) for root in event.roots for seen, n in terms(trace, root, event.n)):
        if event.seeded or _hidden(trace, seen, before):
            found.append(Term(seen, before, reached, frozenset()))
        else:
            mine = frozenset(weights(trace, seen, before, DEEP))
            found.append(Term(seen, before, mine, frozenset(_encoded(trace, seen, before))))
    told = frozenset[int]().union(*(one.weights for one in found))
    return found if reached <= told else [Term(root, event.n, reached, frozenset()) for root in event.roots]


def _hidden(trace: Trace, term: Seen, before: int) -> bool:
    """Whether the way of the gradient leads through a function of the user's own, which may pass it anywhere."""
    for seen, op in trace.back([term], before, DEEP, lambda op, each: each.needs_grad):
        made = op or trace.maker(seen, before)
        attached = made is not None and any(out.number == seen.number and out.needs_grad for out in made.out)
        if seen.needs_grad and not seen.leaf and not attached:
            return True
    return False


def _encoded(trace: Trace, term: Seen, before: int) -> set[int]:
    """What a term compares with the code that was chosen for it, by its tensors; empty where it is something else."""
    meeting = _meeting(trace, term, before)
    if meeting is None:
        return set()
    for seen, other in (meeting.inputs[:2], meeting.inputs[1::-1]):
        same = _same(trace, seen, meeting.n)
        mine = weights(trace, seen, meeting.n, DEEP)
        apart = seen.needs_grad and not seen.leaf and not mine & weights(trace, other, meeting.n, DEEP)
        if apart and _chosen(trace, other, meeting.n, same):
            return same
    return set()


def _meeting(trace: Trace, term: Seen, before: int) -> Op | None:
    """The call that compares two tensors, behind those that square, weigh and average."""
    seen, limit = term, before
    for _ in range(8):
        op = trace.maker(seen, limit)
        inner = {each.number: each for each in op.inputs if each.needs_grad} if op is not None else {}
        if op is None or (op.name in MEETS and len(op.inputs) > 1):
            return op
        if len(inner) != 1:
            return None
        seen, limit = next(iter(inner.values())), op.n
    return None


def _same(trace: Trace, seen: Seen, before: int) -> set[int]:
    """A tensor with those that it shows in another shape."""
    found = {seen.number}
    for op in trace.chain(seen, before):
        if op.name not in SHAPES or not op.inputs:
            break
        found.add(op.inputs[0].number)
    return found


def _chosen(trace: Trace, code: Seen, before: int, encoded: set[int]) -> bool:
    """Whether a code was chosen by what was encoded, and is made of nothing else but parameters and constants."""
    picked = met = False
    way = trace.back([code], before, DEEP, lambda op, each: each.number not in encoded and not _owned(trace, each))
    for seen, op in way:
        met = met or (op is not None and any(each.number in encoded for each in op.inputs))
        picked = picked or (op is not None and op.name in CHOOSES)
        if _begins(trace, seen, op, before) and not _owned(trace, seen):
            return False
    return picked and met


def _begins(trace: Trace, seen: Seen, op: Op | None, before: int) -> bool:
    """Whether nothing was seen that a tensor of some numbers was made of, but for constants."""
    if op is None:
        return bool(seen.shape) and trace.maker(seen, before) is None
    return not op.inputs and op.name not in FIXED


def _owned(trace: Trace, seen: Seen) -> bool:
    """Whether a tensor is a part of a model."""
    numbers, memory = trace.once(_parts)
    return seen.number in numbers or seen.storage in memory


def _parts(trace: Trace) -> tuple[set[int], set[int]]:
    known = trace.modules.values()
    held = {number for optimizer in trace.optimizers() for number in trace.held(optimizer)}
    memory = {storage for facts in known for storage in (*facts.storages.values(), *facts.buffers.values())}
    return held | {number for facts in known for number in facts.parameters.values()}, memory


def _lost(trace: Trace, term: Term, encoded: frozenset[int]) -> Op | None:
    """The call at which the way from a term back to what was encoded loses the gradient, where data has part in it."""
    cut, met, data = None, False, False
    for seen, op in trace.back([term.seen], term.before, DEEP, lambda op, each: each.number not in encoded):
        met = met or (op is not None and any(each.number in encoded for each in op.inputs))
        if _begins(trace, seen, op, term.before) and not _owned(trace, seen):
            if seen.needs_grad:  # made where nobody looked
                return None
            data = data or math.prod(seen.shape) > 1
        elif cut is None and op is not None and op.out and not any(each.needs_grad for each in op.out):
            behind = {each.number for each, _ in trace.back(op.inputs, op.n, DEEP)}
            cut = op if behind & encoded else None
    return cut if met and data else None
