"""How two objectives differ on the same outputs: by what they add up, and by what they divide it by."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from truestep.core.kinds import as_tuple
from truestep.core.model import forward
from truestep.core.outcome import StepOut
from truestep.core.step import TrainStep
from truestep.explain.handmade import undone
from truestep.explain.pair import Pair

NEAR = 1e-5


def losses_differ(pair: Pair, a: StepOut, b: StepOut) -> str:
    """The difference of two objectives in words, read from the totals and counts that both steps had."""
    if len(a.totals) == 1 and len(b.totals) == 1:
        return _of_one(pair, a, b)
    said = [
        f"only {'A' if name in a.totals else 'B'} has the term {name}" for name in a.totals.keys() ^ b.totals.keys()
    ]
    for name in (name for name in a.totals if name in b.totals):
        if a.weights[name] != b.weights[name]:
            said.append(f"the weight of {name} is {a.weights[name]:g} in A and {b.weights[name]:g} in B")
        if not _near(a.terms[name], b.terms[name]):
            said.append(f"{name} is {a.terms[name]:.6g} in A and {b.terms[name]:.6g} in B on the same outputs")
    return "; ".join(sorted(said)) or "the losses have other gradients, though their values are the same"


def _of_one(pair: Pair, a: StepOut, b: StepOut) -> str:
    (name_a, total_a), (name_b, total_b) = *a.totals.items(), *b.totals.items()
    count_a, count_b = a.counts[name_a], b.counts[name_b]
    if a.weights[name_a] != b.weights[name_b] and _near(a.terms[name_a], b.terms[name_b]):
        return f"the weight of the loss is {a.weights[name_a]:g} in A and {b.weights[name_b]:g} in B"
    if _near(total_a, total_b) and not _near(count_a, count_b):
        said = [_divided(*one, pair.batch[1]) for one in (("A", pair.a, a, name_a), ("B", pair.b, b, name_b))]
        return f"both add up the same losses; {said[0]}, {said[1]}"
    factor = b.loss / a.loss if a.loss else math.nan
    if any(_near(factor, half) for half in (2.0, 0.5)) and _squared(pair):
        larger = "B" if factor > 1 else "A"
        return f"the factor 1/2 of the squared loss: {larger} leaves it out"
    if _near(factor, 1.0):
        return "the losses have other gradients, though their values are the same"
    unlike = f"{name_a} in A and {name_b} in B; " if name_a != name_b else ""
    return f"the loss: {unlike}on the same outputs B's is {factor:.6g} times A's"


def _divided(label: str, step: TrainStep, out: StepOut, name: str, target: object) -> str:
    """By what a step divided its total, and what this number is."""
    count, term = out.counts[name], step.objective.terms[name]
    if term.summed:
        return f"{label} takes their sum"
    weight = getattr(term.stock.module, "weight", None) if term.stock is not None else None
    labels = as_tuple(target)[0] if as_tuple(target) else None
    weighed = isinstance(weight, Tensor) and isinstance(labels, Tensor) and not labels.is_floating_point()
    if weighed and not _near(count, out.samples):
        return f"{label} divides by {count:.6g}, the sum of the class weights of the targets"
    what = "the number of samples" if _near(count, out.samples) else "the number of elements that count"
    return f"{label} divides by {count:.6g}, {what}"


def _squared(pair: Pair) -> bool:
    """Whether twice the distance between outputs and targets is four times the loss."""
    target = pair.batch[1]
    with undone(pair.a), torch.no_grad():
        output = forward(pair.a.model, pair.batch[0])
        if not isinstance(output, Tensor) or not isinstance(target, Tensor) or output.shape != target.shape:
            return False
        once, twice = (float(pair.a.objective(target + far * (output - target), target)) for far in (1, 2))
    return math.isclose(twice, 4 * once, rel_tol=1e-3)


def _near(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=NEAR)
