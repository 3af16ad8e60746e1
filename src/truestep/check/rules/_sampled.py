"""Samples that are cut off from the mean and the spread they were drawn with, so that these learn from a penalty alone.

What a penalty is made of is nothing but the mean and the spread themselves, as the divergence from a fixed prior is:
where no other term reaches them, what they come from never hears of the data.
"""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.changes import Backward
from truestep.check.events import Op
from truestep.check.looks import Seen
from truestep.check.mode import DRAWS
from truestep.check.rules._chains import SHAPES
from truestep.check.rules._sums import Cut, cuts, terms, weights
from truestep.check.rules._words import plural
from truestep.check.site import Site
from truestep.check.trace import Trace

PLAIN = SHAPES | {
    "add", "sub", "mul", "div", "pow", "neg", "exp", "log", "square", "abs", "sqrt", "mean", "sum", "softplus", "log1p",
    "expm1", "clamp", "clamp_min", "clamp_max", "rsqrt", "reciprocal", "add_", "sub_", "mul_", "div_", "pow_", "exp_",
    "expand", "chunk", "split", "unbind", "relu", "tanh", "sigmoid", "broadcast_tensors", "stack", "nan_to_num",
}  # fmt: skip
"""What a penalty on a mean and a spread is made with: nothing that brings two samples together, or a target."""
FIXED = {"zeros", "ones", "zeros_like", "ones_like", "full", "full_like", "tensor", "expand", "broadcast_tensors",
         "log", "pow", "div", "mul", "sub", "neg", "exp", "scalar_tensor"}  # fmt: skip
MOST = 300


def penalised(trace: Trace) -> list[tuple[Site, str, str, str, str]]:
    """The first line at which samples lose their gradient, where a penalty is all that trains what they come from."""
    return [
        (
            one.op.site,
            f"{one.op.name}() stops the gradient of a sample: a penalty is all that "
            f"{plural(len(one.numbers), 'parameter')} behind it learn{'s' if len(one.numbers) == 1 else ''} from",
            f"at {one.times} passes the sample went on into the loss without its gradient, and the only terms that "
            f"reach {trace.name(min(one.numbers))} are made of its mean and spread, and of nothing else",
            "the code forgets the data: whatever is encoded, the penalty makes it the same",
            "draw with mean + spread * noise, or rsample(), and leave the sample attached",
        )
        for one in _cuts(trace)
    ][:1]


def _cuts(trace: Trace) -> Iterator[Cut]:
    passes = [each for each in trace.backwards() if each.close and len(each.roots) == 1]
    if not any(_lost(op) and any(each.needs_grad for each in op.inputs) for op in trace.of(Op)):
        return
    for one in cuts(passes, lambda event: _cut(trace, event)):
        if not any(_otherwise(trace, event, one.numbers) for event in passes):
            yield one


def _lost(op: Op) -> bool:
    """Whether real numbers come out of a call without a gradient."""
    return bool(op.out) and op.out[0].dtype.startswith("float") and not any(each.needs_grad for each in op.out)


def _cut(trace: Trace, event: Backward) -> tuple[Op, frozenset[int]] | None:
    """The call that cuts a sample off in this pass, and what then learns from a penalty alone."""
    parts = list(terms(trace, event.roots[0], event.n))
    told = [(term, before, _made_of(trace, term, before)) for term, before in parts]
    facts = {number for _, _, made in told if made is not None for number in made}
    if not facts or not any(made is None for _, _, made in told):
        return None
    for term, before, made in told:
        if made is None:
            if _reached(trace, term, before) & facts:
                return None
            cut = _behind(trace, term, before, facts)
            if cut is not None:
                mine = [weights(trace, term, before) for term, before, made in told if made is not None]
                rest = [weights(trace, term, before) for term, before, made in told if made is None]
                return cut, frozenset(set().union(*mine) - set().union(*rest))
    return None


def _made_of(trace: Trace, term: Seen, before: int) -> set[int] | None:
    """The tensors that a penalty is made of: what layers, or parameters themselves, gave; None where it is none."""
    found: set[int] = set()
    for seen, op in trace.back([term], before, MOST, along=lambda op, each: each.needs_grad and not _layer(op)):
        if op is not None and _layer(op):
            found.add(seen.number)
        elif op is None:
            found |= {seen.number} if seen.needs_grad and seen.shape else set()
        elif op.name not in PLAIN or not all(each.needs_grad or _fixed(trace, each, op.n) for each in op.inputs):
            return None
    return found


def _layer(op: Op) -> bool:
    """Whether a call uses a parameter."""
    return any(each.leaf and each.needs_grad for each in op.inputs) and len(op.inputs) > 1


def _fixed(trace: Trace, seen: Seen, before: int) -> bool:
    """Whether a tensor is a constant, as the numbers of a prior are."""
    if not seen.shape:
        return True
    for each, op in trace.back([seen], before, 12):
        if op is not None and op.name not in FIXED:
            return False
        if op is not None and op.name != "tensor":
            continue
        if each.shape and (each.needs_grad or each.values is None or each.values.low != each.values.high):
            return False
    return True


def _reached(trace: Trace, term: Seen, before: int) -> set[int]:
    """The tensors that a gradient of this term goes through."""
    return {seen.number for seen, _ in trace.back([term], before, MOST, along=lambda op, each: each.needs_grad)}


def _behind(trace: Trace, term: Seen, before: int, facts: set[int]) -> Op | None:
    """The call at which the way from a term back to a sample's mean and spread loses the gradient."""
    for _, op in trace.back([term], before, MOST):
        if op is None or not _lost(op) or op.name == "eq":
            continue
        way = list(trace.back(op.out, op.n + 1, 40))
        drawn = any(made is not None and made.name in DRAWS for _, made in way)
        met = {seen.number for seen, _ in way} & facts
        if drawn and len(met) >= 2:
            return op
    return None


def _otherwise(trace: Trace, event: Backward, numbers: frozenset[int]) -> bool:
    """Whether any term of a pass but a penalty reaches these parameters."""
    if not numbers & {leaf.number for leaf in event.leaves}:
        return False
    parts = terms(trace, event.roots[0], event.n)
    return any(
        _made_of(trace, term, before) is None and weights(trace, term, before) & numbers for term, before in parts
    )
