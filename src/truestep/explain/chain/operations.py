"""The operations of torch whose formulas are known, each as a function of arrays of cells that returns formulas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from truestep.explain.chain.algebra import Cell, Formula, Number, add, multiply
from truestep.explain.chain.elements import ELEMENTS, Array, average, each, times
from truestep.explain.chain.losses import LOSSES


def _sum(a: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Array:
    return _over(a, dim, keepdim, lambda elements: add(*elements, over=True))


def _mean(a: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Array:
    return _over(a, dim, keepdim, average)


def _over(a: Array, dim: Any, keepdim: bool, reduce: Callable[[Sequence[Formula]], Formula]) -> Array:
    axes = range(a.ndim) if dim is None or dim == [] else [dim] if isinstance(dim, int) else dim
    axes = sorted({axis % max(a.ndim, 1) for axis in axes} & set(range(a.ndim)))
    kept = [size for axis, size in enumerate(a.shape) if axis not in axes]
    rows = np.moveaxis(a, axes, range(-len(axes), 0)).reshape(*kept, -1) if axes else a[..., None]
    made = np.empty(kept, object)
    for place in np.ndindex(*kept):
        made[place] = reduce(list(rows[place]))
    return np.expand_dims(made, axes) if keepdim else made


def _matmul(a: Array, b: Array) -> Array:
    """`a @ b` of shapes (..., n, k) and (..., k, m); in each product a parameter stands first."""
    made = np.empty((*a.shape[:-1], b.shape[-1]), object)
    for *batch, row, column in np.ndindex(*made.shape):
        pairs = zip(a[(*batch, row)], b[(*batch, slice(None), column)], strict=True)
        made[(*batch, row, column)] = add(*(_parameter_first(x, y) for x, y in pairs))
    return made


def _parameter_first(x: Formula, y: Formula) -> Formula:
    second = isinstance(y, Cell) and y.definition is None and y.grad
    return times(y, x) if second else times(x, y)


def _added(bias: Array, product: Array, beta: float, alpha: float) -> Array:
    return each(lambda b, p: add(multiply(Number(alpha), p), multiply(Number(beta), b)), bias, product)


def _addmm(bias: Array, a: Array, b: Array, *, beta: float = 1, alpha: float = 1) -> Array:
    return _added(bias, _matmul(a, b), beta, alpha)


def _addmv(bias: Array, a: Array, v: Array, *, beta: float = 1, alpha: float = 1) -> Array:
    return _added(bias, _mv(a, v), beta, alpha)


def _mv(a: Array, v: Array) -> Array:
    return _matmul(a, v[:, None])[:, 0]


def _dot(a: Array, b: Array) -> Array:
    return _matmul(a[None], b[:, None])[0, 0:1].reshape(())


def _same(a: Array, *_: Any, **__: Any) -> Array:
    return a


def _copied(into: Array, a: Array, *_: Any) -> Array:
    return np.broadcast_to(a, into.shape)


OPERATIONS: dict[str, Callable[..., Any]] = {
    **ELEMENTS,
    **LOSSES,
    "sum": _sum,
    "mean": _mean,
    "mm": _matmul,
    "bmm": _matmul,
    "mv": _mv,
    "dot": _dot,
    "addmm": _addmm,
    "baddbmm": _addmm,
    "addmv": _addmv,
    "_to_copy": _same,
    "clone": _same,
    "copy": _copied,
}

# Operations that move numbers and compute none: where each number ends up is found by moving their places.
MOVES = {
    *(
        "cat",
        "stack",
        "repeat",
        "roll",
        "flip",
        "tril",
        "triu",
        "diag_embed",
        "constant_pad_nd",
        "where",
        "masked_fill",
    ),
    *("index", "index_select", "index_copy", "index_put", "masked_select", "gather", "take", "embedding"),
    *("select_scatter", "slice_scatter"),
}
