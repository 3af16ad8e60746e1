"""Operations of torch that work element by element, as formulas; operands broadcast as torch does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from truestep.explain.chain.algebra import ONE, ZERO, Call, Cell, Formula, Number, add, evaluate, multiply, power

Array = np.ndarray
"""Formulas, of dtype object."""


def array(operand: Any) -> Array:
    """An operand as an array of formulas: a tensor's cells as they are, one number or formula without a dimension."""
    if isinstance(operand, np.ndarray):
        return operand
    single = np.empty((), object)
    single[()] = Number(float(operand)) if isinstance(operand, int | float) else operand
    return single


def each(build: Callable[..., Formula], *operands: Any) -> Array:
    """The formula of every element."""
    wide = np.broadcast_arrays(*map(array, operands))
    made = np.empty(wide[0].shape, object)
    for place in np.ndindex(made.shape):
        made[place] = build(*(one[place] for one in wide))
    return made


def times(a: Formula, b: Formula) -> Formula:
    """`a b`, a square where both are the same number."""
    return power(a, 2) if a is b else multiply(a, b)


def minus(a: Formula, b: Formula, alpha: Formula = ONE) -> Formula:
    """`a - alpha b`."""
    return add(a, multiply(Number(-1), alpha, b))


def _plus(a: Formula, b: Formula, alpha: Formula = ONE) -> Formula:
    return add(a, multiply(alpha, b))


def function(name: str, argument: Formula) -> Call:
    """A function of one number, with its slope."""
    return Call(name, (argument,), lambda result: (SLOPES[name](result, argument),))


def average(elements: Sequence[Formula]) -> Formula:
    """The sum of the elements over their number."""
    return multiply(add(*elements, over=True), by=(Number(len(elements)),) if len(elements) > 1 else ())


SLOPES: dict[str, Callable[[Any, Formula], Formula]] = {
    "abs": lambda result, z: Call("sign", (z,)),
    "cos": lambda result, z: multiply(Number(-1), Call("sin", (z,))),
    "exp": lambda result, z: result,
    "log": lambda result, z: multiply(by=(z,)),
    "relu": lambda result, z: Call("step", (z,)),
    "sigmoid": lambda result, z: multiply(result, minus(ONE, result)),
    "sin": lambda result, z: Call("cos", (z,)),
    "softplus": lambda result, z: Call("sigmoid", (z,)),
    "sqrt": lambda result, z: multiply(by=(Number(2), result)),
    "tanh": lambda result, z: minus(ONE, power(result, 2)),
}


def _elementwise(name: str) -> Callable[[Array], Array]:
    return lambda z: each(lambda element: function(name, element), z)


def _softplus(z: Array, beta: float = 1, threshold: float = 20) -> Array | None:
    plain = beta == 1 and all(evaluate(element) <= threshold for element in z.flat)
    return _elementwise("softplus")(z) if plain else None


def _divide(a: Array, b: Any, *, rounding_mode: str | None = None) -> Array | None:
    return each(lambda x, y: multiply(x, by=(y,)), a, b) if rounding_mode is None else None


def _power(a: Any, exponent: Any) -> Array | None:
    exponents = array(exponent)
    if any(isinstance(one, Cell) and (one.grad or one.stem) for one in exponents.flat):
        return None
    return each(lambda x, n: power(x, evaluate(n)), a, exponents)


ELEMENTS: dict[str, Callable[..., Array | None]] = {
    **{name: _elementwise(name) for name in SLOPES},
    "softplus": _softplus,
    "add": lambda a, b, *, alpha=1: each(_plus, a, b, alpha),
    "sub": lambda a, b, *, alpha=1: each(minus, a, b, alpha),
    "rsub": lambda a, b, alpha=1: each(minus, b, a, alpha),
    "mul": lambda a, b: each(times, a, b),
    "div": _divide,
    "neg": lambda a: each(lambda z: multiply(Number(-1), z), a),
    "pow": _power,
    "reciprocal": lambda a: each(lambda z: multiply(by=(z,)), a),
    "fill": lambda a, value: each(lambda old, new: new, a, value),
    "zero": lambda a: each(lambda old: ZERO, a),
}
