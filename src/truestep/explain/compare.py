"""`compare`: how do the updates of two steps differ, why, and what would make them equal?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from truestep.core.step import TrainStep
from truestep.explain.causes import Found, close, find, groups, scaled
from truestep.explain.claims import figure, html_table, text_table
from truestep.explain.pair import Pair, Taken, length, minus, paired, product
from truestep.explain.preserve import check_step

STRAIGHT = 1e-4  # the sine of an angle below which two updates point the same way
_HEAD = ("parameter", "cosine", "ratio", "|A|", "|B|", "share of the difference")


@dataclass(frozen=True, slots=True)
class Row:
    """One parameter: cosine and ratio of its two updates, their norms, its share of the squared difference."""

    name: str
    cosine: float
    ratio: float
    norm_a: float
    norm_b: float
    share: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the update of B differs from that of A.

    `cosine` and `ratio` = |B| / |A| over all parameters, NaN where an update is zero or missing;
    `error` = |B - A| / |A|; `equal_if`: the one factor that makes B's update A's, such as "lr x 0.1", or "";
    `causes`: what was found by giving B one thing of A after another; `words`: the sentence to read.
    """

    cosine: float
    ratio: float
    error: float
    equal_if: str
    words: str
    causes: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()

    def table(self) -> str:
        """The parameters as a table of plain text, the sentence above it."""
        return f"{self.words}\n\n{text_table(_HEAD, self._cells())}" if self.rows else self.words

    def _cells(self) -> list[tuple[str, ...]]:
        return [
            (r.name, f"{r.cosine:.6f}", f"{r.ratio:.6g}", f"{r.norm_a:.3g}", f"{r.norm_b:.3g}", f"{r.share:.0%}")
            for r in self.rows
        ]

    def __repr__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        return html_table(_HEAD, self._cells(), self.words)


def compare(step_a: TrainStep, step_b: TrainStep, inputs: Any, targets: Any) -> Comparison:
    """Take two steps from the same weights on the same batch with the same random draws, and say how they differ.

    `cosine = <u_a, u_b> / (|u_a| |u_b|)` and `ratio = |u_b| / |u_a|` of the updates `u` of all parameters, in float64.
    Causes are measured: B is given A's settings one by one (rate, decay, momentum and state, clipping, split,
    precision, mode, losses), and those that make the updates equal are named.

    Args:
        step_a: the step to compare with; both steps end as they were.
        step_b: the other step; a model of its own starts from A's weights and buffers.
        inputs: as the steps take them.
        targets: as the steps take them.

    Raises:
        ConfigError: for models whose parameters do not correspond.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Linear(3, 1).double()
    >>> steps = [
    ...     TrainStep(model, loss, torch.optim.SGD(model.parameters(), lr=0.125))
    ...     for loss in (nn.MSELoss(), nn.MSELoss(reduction="sum"))
    ... ]
    >>> compare(*steps, torch.randn(256, 3).double(), torch.randn(256, 1).double()).equal_if
    'lr x 0.00390625'
    """
    check_step(step_a, step_b)
    pair = paired(step_a, step_b, (inputs, targets))
    a, b = pair.take_a(), pair.take_b()
    unfit = _unfit(a, b)
    if unfit:
        nothing = 0.0 if not a.reason and not b.reason and a.norm == b.norm == 0 else math.nan
        return Comparison(math.nan, math.nan, nothing, "", unfit)
    rows = tuple(_row(name, a, b) for name in pair.names)
    cosine = max(-1.0, min(1.0, product(a.updates, b.updates) / (a.norm * b.norm)))
    ratio, error = b.norm / a.norm, length(minus(b.updates, a.updates)) / a.norm
    if close(pair, a, b):
        return Comparison(cosine, ratio, error, "", _same(pair, a, b, error), (), rows)
    found = find(pair, a, b)
    straight = _straight(pair, a, b)
    equal_if, decay = _equal_if(pair, a, b, found, straight)
    words = [_head(straight, cosine, ratio, rows), *_reasons(pair, found), *([decay] if decay else [])]
    return Comparison(cosine, ratio, error, equal_if, " ".join(words), tuple(c.words for c in found.causes), rows)


def _unfit(a: Taken, b: Taken) -> str:
    """Why there is nothing to compare, or ""."""
    failed = [f"{label} takes no step: {one.reason}" for label, one in (("A", a), ("B", b)) if one.reason]
    if failed:
        return " ".join(failed)
    if not math.isfinite(a.norm) or not math.isfinite(b.norm):
        label = "A" if not math.isfinite(a.norm) else "B"
        return f"{label}'s update is not finite, so the two cannot be compared: lower its learning rate."
    still = [label for label, one in (("A", a), ("B", b)) if not one.norm]
    if not still:
        return ""
    whys = {label: _why_still(one) for label, one in (("A", a), ("B", b)) if label in still}
    told = " ".join(f"{label}: {why}." for label, why in whys.items())
    return f"{'Neither step moves' if len(still) == 2 else f'{still[0]} does not move'} any weight. {told}"


def _why_still(taken: Taken) -> str:
    assert taken.out is not None
    if taken.out.lr == 0:
        return "its learning rate is 0"
    if taken.out.grad_norm == 0:
        return "its gradient is zero"
    return f"its gradient has the norm {taken.out.grad_norm:.3g}, and the update is lost in the rounding of the weights"


def _row(name: str, a: Taken, b: Taken) -> Row:
    u, v = a.updates[name], b.updates[name]
    x, y, whole = float(u.norm()), float(v.norm()), length(minus(b.updates, a.updates)) ** 2
    cosine = float((u * v).sum()) / (x * y) if x and y else math.nan
    share = float((v - u).square().sum()) / whole if whole else 0.0
    return Row(name, cosine, y / x if x else math.nan, x, y, share)


def _straight(pair: Pair, a: Taken, b: Taken) -> float | None:
    """The factor f with b = f * a, where there is one."""
    factor = product(a.updates, b.updates) / product(a.updates, a.updates)
    if length(minus(b.updates, a.updates, factor)) > STRAIGHT * b.norm + (1 + abs(factor)) * pair.noise:
        return None
    slack = max(1e-4, 2 * pair.noise / min(a.norm, b.norm))
    return _snapped(factor, slack) if slack < 0.1 else None


def _snapped(factor: float, slack: float) -> float:
    """A whole number, or one over it, where the factor is one but for rounding."""
    whole = abs(factor) >= 1
    nearest = round(factor if whole else 1 / factor)
    exact = float(nearest) if whole else 1 / nearest
    return exact if abs(factor / exact - 1) <= slack else factor


def _equal_if(pair: Pair, a: Taken, b: Taken, found: Found, straight: float | None) -> tuple[str, str]:
    """The one factor that makes the updates equal, tried out, and what is to be said of decay."""
    if straight is not None and straight > 0:
        factor = 1 / straight  # known as well as B's update, whose rounding it carries into A's
        tried = not groups(pair.b) or close(pair, a, pair.take_b(scaled("lr", factor)), factor)
        return (f"lr x {factor:.6g}", "") if tried else ("", "")
    if len(found.causes) == 1 and found.whole and found.causes[0].factor is not None:
        return f"{found.causes[0].name} x {found.causes[0].factor:.6g}", ""
    return _by_decay(pair, a, b)


def _by_decay(pair: Pair, a: Taken, b: Taken) -> tuple[str, str]:
    """A difference that is a multiple of the weights is one of decay: by which factor on B's would it go?"""
    difference, weights = minus(b.updates, a.updates), pair.weights
    decayed = {name for name in pair.names if length({name: difference[name]}) > pair.noise}
    some = {name: weights[name] for name in decayed}
    size = product(some, some)
    if not size:
        return "", ""
    slope = product(some, difference) / size
    part = minus({name: difference[name] for name in decayed}, some, slope)
    if length(part) > 1e-3 * length(difference) + pair.noise:
        return "", ""
    words = f"The difference is {slope:.4g} times the weights: decay that is stronger or applied elsewhere."
    own_a, own_b = _decay_of(pair, a, pair.a, some, size), _decay_of(pair, b, pair.b, some, size)
    own_a, own_b = own_b - slope if own_a is None and own_b is not None else own_a, own_b
    if own_a is None:
        return "", words
    mine = own_a + slope if own_b is None else own_b
    if not mine:
        return "", words
    factor = _snapped((mine - slope) / mine, 1e-3) if mine != slope else 0.0
    return (
        f"weight_decay x {factor:.6g}",
        f"{words} A takes {-own_a:.4g} of them a step and B {-mine:.4g}: equal if B's decay is scaled by {factor:.6g}, "
        "or moved to where A has it (L2 in the gradient, or decoupled beside it).",
    )


def _decay_of(pair: Pair, taken: Taken, step: TrainStep, some: dict[str, Any], size: float) -> float | None:
    """What the decay of an optimizer of torch adds to its update, as a multiple of the weights; None if not known."""
    if not any("weight_decay" in group for group in groups(step)):
        return None
    bare = (pair.take_a if step is pair.a else pair.take_b)(scaled("weight_decay", 0.0))
    own = minus(taken.updates, bare.updates)
    slope = product(some, own) / size
    rest = minus({name: own[name] for name in some}, some, slope)
    return slope if length(rest) <= 1e-2 * length(own) + pair.noise else None


def _head(straight: float | None, cosine: float, ratio: float, rows: tuple[Row, ...]) -> str:
    if straight is not None and straight < 0:
        return f"B's update is {_times(ratio)} times A's, in the opposite direction: one of the two climbs."
    if straight is not None:
        mend = f"divide its lr by {straight:.6g}" if straight > 1 else f"multiply its lr by {1 / straight:.6g}"
        return f"B's update is {_times(ratio)} times A's, in the same direction: {mend}."
    angle = math.degrees(math.acos(cosine))
    most = sorted(rows, key=lambda row: -row.share)[:3]
    named = ", ".join(f"{row.name} ({row.share:.0%} of the difference)" for row in most if row.share >= 0.05)
    return (
        f"B's update points {angle:.3g} degrees away from A's and is {_times(ratio)} times as long; they differ most "
        f"in {named}."
    )


def _times(ratio: float) -> str:
    return f"{ratio:.3f}" if 0.01 <= ratio < 1e6 else f"{ratio:.4g}"


def _reasons(pair: Pair, found: Found) -> list[str]:
    """What was measured, as sentences."""
    said = "; ".join(cause.words for cause in found.causes)
    if found.whole:
        return [f"Cause: {said}."]
    rules = [repr(step.updates).split("(")[0] for step in (pair.a, pair.b)]
    other = f"the rules themselves differ: {rules[0]} in A and {rules[1]} in B" if rules[0] != rules[1] else ""
    own = "what the updaters themselves do, such as their own rate" if pair.b.updates.summed else ""
    if not said:
        return [f"Cause: {other or own}."] if other or own else ["No setting of A makes them equal."]
    return [f"Part of it: {said}.", *([f"Besides, {other}."] if other else ["The rest is no setting that they share."])]


def _same(pair: Pair, a: Taken, b: Taken, error: float) -> str:
    rounding = f"but for rounding, {figure(error)}" if error else "to the bit"
    words = f"A and B take the same step: their updates are equal {rounding}."
    assert a.out is not None
    assert b.out is not None
    if pair.noise > 0.5 * max(a.norm, b.norm):
        words += " Both are so small that the rounding of the weights hides whatever else they are."
    if a.out.grad_norm and abs(b.out.grad_norm / a.out.grad_norm - 1) > 1e-2:
        times = f"{b.out.grad_norm / a.out.grad_norm:.6g}"
        words += f" B's gradient is {times} times A's, which clipping or the optimizer's own denominators take out."
    return words
