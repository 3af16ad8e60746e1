"""Losses that add a mean over all numbers and a sum over all samples, and whose sum then crushes what it is made of."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from statistics import median

from truestep.check.events import Op
from truestep.check.looks import Seen
from truestep.check.rules._chains import origin
from truestep.check.site import Site
from truestep.check.trace import LOSSES, Trace

ROWS, OFTEN, PLAIN, GONE = 8, 8, 0.25, 0.05
"""Samples at least, passes, the least weight that is none, and what is left of the divergence of a sample, in nats."""
Told = tuple[Site, str, str]


def uneven(trace: Trace) -> Iterator[Told]:
    """The lines where a divergence is summed over a batch beside a reconstruction that is averaged over everything."""
    lines: dict[tuple[str, int], list[tuple[Op, Op, float]]] = {}
    for event in trace.backwards():
        if len(event.roots) != 1:
            continue
        terms = [each for each in _terms(trace, event.roots[0], event.n, 1.0) if each is not None]
        means = [op for op, weight in terms if _mean(op) and weight >= PLAIN]
        sums = [(op, weight) for op, weight in terms if _divergence(trace, op) and weight >= PLAIN]
        if len(terms) == 2 and means and sums:
            lines.setdefault(means[0].site.place, []).append((means[0], *sums[0]))
    for held in lines.values():
        shape, latent = held[0][0].inputs[0].shape, held[0][1].inputs[0].shape
        left = [
            abs(weight * op.out[0].values.mean) / op.inputs[0].shape[0] for _, op, weight in held
            if op.out[0].values is not None
        ]  # fmt: skip
        if len(left) < OFTEN or shape[0] != latent[0] or shape[0] < ROWS or prod(shape[1:]) < ROWS:
            continue
        late = median(left[-(len(left) // 3) :])
        if late < GONE:
            yield (
                held[0][0].site,
                f"one part of the loss is a mean over {prod(shape)} numbers, another a sum over {latent[0]} samples",
                f"so the sum weighs {prod(shape)} times as much as where both are sums: what it adds up (line "
                f"{held[0][1].site.line}) is {late:.2g} for a sample late in the run, and was up to {max(left):.3g}",
            )


def _terms(trace: Trace, seen: Seen, before: int, weight: float, depth: int = 5) -> list[tuple[Op, float] | None]:
    """The calls whose results a loss is the sum of, with their weights behind plain factors."""
    op = origin(trace, seen, before)
    if op is None or not depth:
        return [None]
    inputs = [each for each in op.inputs if each.needs_grad]
    if op.name in ("mul", "div", "neg") and len(inputs) == 1 == len(op.inputs):
        by = next((each for each in op.args[:2] if isinstance(each, int | float)), 1.0)
        factor = 1 / by if op.name == "div" and by else by
        return _terms(trace, inputs[0], op.n, weight * abs(factor), depth - 1)
    if op.name in ("add", "sub") and inputs and op.words.get("alpha", 1) == 1:
        return [each for one in inputs for each in _terms(trace, one, op.n, weight, depth - 1)]
    return [(op, weight)]


def _mean(op: Op) -> bool:
    """A mean over everything, of a loss or of what was computed by hand."""
    if not op.inputs or len(op.inputs[0].shape) < 2:
        return False
    if op.name in LOSSES:
        return op.words.get("reduction", "mean") == "mean" and op.words.get("weight") is None
    return op.name == "mean" and bool(op.out) and not op.out[0].shape


def _divergence(trace: Trace, op: Op) -> bool:
    """A sum over all samples of what is made of an exponential and a square, 1 + log v - m^2 - v, in any order."""
    whole = op.name == "sum" and op.out and not op.out[0].shape and op.inputs and len(op.inputs[0].shape) == 2
    if not whole:
        return False
    names = {made.name for _, made in trace.back(op.inputs[:1], op.n, 14) if made is not None}
    return "exp" in names and bool(names & {"pow", "square", "mul"}) and bool(names & {"sub", "add"})
