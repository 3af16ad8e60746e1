"""Softmax and the losses of torch as formulas; a mean is divided by what torch itself divides by."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from truestep.explain.chain.algebra import ONE, ZERO, Call, Cell, Formula, Number, add, evaluate, multiply, power
from truestep.explain.chain.elements import Array, array, average, each, function, minus

NONE, MEAN = 0, 1
"""How torch's kernels number their reductions; 2 is the sum."""


def _softmax(z: Array, dim: int, half_to_float: bool = False) -> Array:
    """`p_j = exp(z_j) / sum_k exp(z_k)`, whose slopes are `p_j (1 - p_j)` and `-p_j p_k`."""
    made = np.empty(z.shape, object)
    for place in np.ndindex(made.shape):
        made[place] = _share(_row(z, place, dim), place[dim], dim)
    return made


def _share(row: Array, own: int, dim: int) -> Call:
    def slopes(result: Cell) -> list[Formula]:
        assert result.group is not None
        shares = _row(result.group, result.place, dim)
        return [
            multiply(result, minus(ONE, result) if share is result else multiply(Number(-1), share)) for share in shares
        ]

    exponentials = [Call("exp", (z,)) for z in row]
    shown = multiply(exponentials[own], by=(add(*exponentials, over=True),))
    return Call("softmax", tuple(row), slopes, shown, lambda result: _row(result.group, result.place, dim).tolist())


def _row(cells: Array, place: tuple[int, ...], dim: int) -> Array:
    return np.moveaxis(cells, dim, -1)[tuple(np.delete(place, dim))]


def _log_softmax(z: Array, dim: int, half_to_float: bool = False) -> Array | None:
    """`log p_j`, whose slopes are `1 - p_j` and `-p_k`; the shares p are shown though nothing computed them."""
    shares = _softmax(z, dim)
    for place, share in np.ndenumerate(shares):
        shares[place] = Cell(evaluate(share), share, group=shares, place=place, whole=True)
    if not all(share.value > 0 for share in shares.flat):
        return None
    made = np.empty(z.shape, object)
    for place in np.ndindex(made.shape):
        made[place] = _log_share(_row(z, place, dim), _row(shares, place, dim), place[dim])
    return made


def _log_share(row: Array, shares: Array, own: int) -> Call:
    def slopes(result: Cell) -> list[Formula]:
        return [minus(ONE if place == own else ZERO, share) for place, share in enumerate(shares)]

    return Call("log_softmax", tuple(row), slopes, Call("log", (shares[own],)), lambda result: shares.tolist())


def _reduced(elements: Array, reduction: int) -> Array:
    if reduction == NONE:
        return elements
    return array(average(list(elements.flat)) if reduction == MEAN else add(*elements.flat, over=True))


def _weighted(elements: Array, weight: Array | None) -> Array:
    return elements if weight is None else each(multiply, weight, elements)


def _mse_loss(output: Array, target: Array, reduction: int = MEAN) -> Array:
    return _reduced(each(lambda o, t: power(minus(o, t), 2), output, target), reduction)


def _bce_with_logits(
    z: Array, target: Array, weight: Array | None = None, pos_weight: Array | None = None, reduction: int = MEAN
) -> Array:
    """`softplus(z) - t z`, or `(1 - t) z + (1 + (w - 1) t) softplus(-z)` where positives weigh w."""

    def plain(z: Formula, t: Formula) -> Formula:
        return add(function("softplus", z), multiply(Number(-1), t, z))

    def positive(z: Formula, t: Formula, w: Formula) -> Formula:
        worth = add(ONE, multiply(minus(w, ONE), t))
        return add(multiply(minus(ONE, t), z), multiply(worth, function("softplus", multiply(Number(-1), z))))

    elements = each(plain, z, target) if pos_weight is None else each(positive, z, target, pos_weight)
    return _reduced(_weighted(elements, weight), reduction)


def _binary_cross_entropy(p: Array, target: Array, weight: Array | None = None, reduction: int = MEAN) -> Array | None:
    """`-(t log p + (1 - t) log(1 - p))`; torch cuts the logarithm off where p is 0 or 1."""
    if not all(0 < evaluate(share) < 1 for share in p.flat):
        return None

    def entropy(p: Formula, t: Formula) -> Formula:
        yes, no = function("log", p), function("log", minus(ONE, p))
        return add(multiply(Number(-1), t, yes), multiply(Number(-1), minus(ONE, t), no))

    return _reduced(_weighted(each(entropy, p, target), weight), reduction)


def _nll_loss(
    scores: Array, labels: Array, weight: Array | None, reduction: int, ignore_index: int
) -> tuple[Array, Array]:
    """`-w[label] * score[label]` for every label that is not ignored, and the sum of the weights."""
    by_class = np.moveaxis(scores, min(1, scores.ndim - 1), -1)
    elements, worth = np.empty(labels.shape, object), []
    for place in np.ndindex(labels.shape):
        label = int(evaluate(labels.item(place)))
        if label == ignore_index:
            elements[place] = ZERO
            continue
        worth.append(ONE if weight is None else weight[label])
        elements[place] = multiply(Number(-1), worth[-1], by_class[(*place, label)])
    total = sum(map(evaluate, worth))
    if reduction != NONE:  # written term by term: which class a term takes follows its label, not its place
        mean = (Number(total),) if reduction == MEAN else ()
        elements = array(multiply(add(*elements.flat), by=mean))
    return elements, array(Number(total))


LOSSES: dict[str, Callable[..., Array | tuple[Array, Array] | None]] = {
    "_softmax": _softmax,
    "_log_softmax": _log_softmax,
    "mse_loss": _mse_loss,
    "binary_cross_entropy_with_logits": _bce_with_logits,
    "binary_cross_entropy": _binary_cross_entropy,
    "nll_loss_forward": _nll_loss,
    "nll_loss2d_forward": _nll_loss,
}
