"""Formulas of single numbers: sums, products, powers and named functions, with their values and their derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np


@dataclass(eq=False, slots=True)
class Number:
    """A number that stands in the formula itself."""

    value: float


@dataclass(eq=False, slots=True, repr=False)
class Cell:
    """One number of the computation: a leaf, or the result of its `definition`.

    A cell with a `stem` is written by its name, one without is written out as its definition; `shape` is how far each
    of its indices runs. `group` holds the cells that one operation made together and `place` is where this one stands
    among them; `whole` cells are never written out inside another formula. `grad` says whether autograd follows it.
    """

    value: float
    definition: Formula | None = None
    grad: bool = False
    stem: str = ""
    index: tuple[int, ...] = ()
    shape: tuple[int, ...] = ()
    group: np.ndarray | None = None
    place: tuple[int, ...] = ()
    whole: bool = False


@dataclass(eq=False, slots=True)
class Partial:
    """`∂of/∂by` as a symbol."""

    of: Cell
    by: Cell
    value: float


@dataclass(eq=False, slots=True)
class Sum:
    """The sum of its terms; `over` marks one that runs over the elements of a tensor."""

    terms: tuple[Formula, ...]
    over: bool = False


@dataclass(eq=False, slots=True)
class Product:
    """The product of its factors over the product of its divisors."""

    factors: tuple[Formula, ...]
    divisors: tuple[Formula, ...] = ()


@dataclass(eq=False, slots=True)
class Power:
    """`base ** exponent`."""

    base: Formula
    exponent: float


@dataclass(eq=False, slots=True)
class Call:
    """A known function; what its `result` is written as may be needed to say its derivatives.

    `slopes(result)` are the derivatives by each argument, `shown` is another way to write the function, and
    `mentions(result)` are the cells that the derivatives speak of besides.
    """

    name: str
    arguments: tuple[Formula, ...]
    slopes: Callable[[Any], Sequence[Formula]] = field(default=lambda result: ())
    shown: Formula | None = None
    mentions: Callable[[Any], Sequence[Cell]] = field(default=lambda result: ())


@dataclass(eq=False, slots=True)
class Opaque:
    """An operation of torch that is known by its name only, with the derivatives that were measured."""

    name: str
    arguments: tuple[Cell, ...] = ()
    slopes: tuple[float, ...] = ()


Formula: TypeAlias = Number | Cell | Partial | Sum | Product | Power | Call | Opaque

ZERO, ONE = Number(0.0), Number(1.0)


def _sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


FUNCTIONS: dict[str, Callable[[float], float]] = {
    "abs": abs,
    "cos": math.cos,
    "exp": math.exp,
    "log": math.log,
    "relu": lambda z: max(z, 0.0),
    "sigmoid": _sigmoid,
    "sign": lambda z: float((z > 0) - (z < 0)),
    "sin": math.sin,
    "softplus": lambda z: max(z, 0.0) + math.log1p(math.exp(-abs(z))),
    "sqrt": math.sqrt,
    "step": lambda z: float(z > 0),
    "tanh": math.tanh,
}


def bare(formula: Formula) -> Formula:
    """The formula behind a cell that has no name."""
    while isinstance(formula, Cell) and not formula.stem and formula.definition is not None:
        formula = formula.definition
    return formula


def evaluate(formula: Formula) -> float:
    """The value of a formula from the values of its cells, in float64; NaN where Python's arithmetic has none."""
    try:
        return _evaluate(formula)
    except (ArithmeticError, ValueError, TypeError):
        return math.nan


def _evaluate(formula: Formula) -> float:
    match formula:
        case Number(value=value) | Cell(value=value) | Partial(value=value):
            return value
        case Sum(terms=terms):
            return math.fsum(map(_evaluate, terms))
        case Product(factors=factors, divisors=divisors):
            return math.prod(map(_evaluate, factors)) / math.prod(map(_evaluate, divisors))
        case Power(base=base, exponent=exponent):
            return float(_evaluate(base) ** exponent)
        case Call(shown=shown) if shown is not None:
            return _evaluate(shown)
        case Call(name=name, arguments=arguments):
            return FUNCTIONS[name](*map(_evaluate, arguments))
        case _:
            return math.nan


# --- building: what is 0, 1 or a number times a number is worked out, everything else stays as it was written ---------


def add(*terms: Formula, over: bool = False) -> Formula:
    """The sum of the terms that are not 0."""
    kept = tuple(term for term in terms if not (isinstance(term, Number) and term.value == 0))
    return Sum(kept, over) if len(kept) > 1 else kept[0] if kept else ZERO


def multiply(*factors: Formula, by: Sequence[Formula] = ()) -> Formula:
    """The product of the factors over that of the divisors `by`, its numbers gathered in front."""
    flat, divisors = _flatten(factors), list(by)
    for factor in factors:
        divisors[:0] = factor.divisors if isinstance(factor, Product) else ()
    number = math.prod(factor.value for factor in flat if isinstance(factor, Number))
    rest: list[Formula] = [factor for factor in flat if not isinstance(factor, Number)]
    if number == 0:
        return ZERO
    for place, factor in enumerate(rest):
        if number < 0 and isinstance(factor, Sum) and not factor.over and any(map(is_negative, factor.terms)):
            number, rest[place] = -number, _negated(factor)  # -(1 - p) reads better as p - 1
    if number != 1 or not rest:
        rest.insert(0, Number(number))
    return Product(tuple(rest), tuple(divisors)) if len(rest) > 1 or divisors else rest[0]


def _flatten(factors: Sequence[Formula]) -> list[Formula]:
    return [inner for factor in factors for inner in (factor.factors if isinstance(factor, Product) else (factor,))]


def _negated(formula: Sum) -> Sum:
    terms = [multiply(Number(-1), term) for term in formula.terms]
    return Sum(tuple(sorted(terms, key=is_negative)))


def is_negative(formula: Formula) -> bool:
    """Whether a formula is written with a minus in front, whatever its value."""
    inner = bare(formula)
    first = inner.factors[0] if isinstance(inner, Product) and inner.factors else inner
    return isinstance(first, Number) and first.value < 0


def power(base: Formula, exponent: float) -> Formula:
    """`base ** exponent`."""
    if exponent in (0, 1):
        return base if exponent else ONE
    return Power(base, exponent)


# --- derivatives ------------------------------------------------------------------------------------------------------


def derivative(formula: Formula, by: Cell, result: Cell | None = None) -> Formula:
    """`d formula / d by`, cells with names standing for themselves; `result` is the cell that holds the formula."""
    match formula:
        case Cell():
            return _of_cell(formula, by)
        case Sum(terms=terms, over=over):
            return add(*(derivative(term, by) for term in terms), over=over)
        case Product():
            return _of_product(formula, by)
        case Power(base=base, exponent=exponent):
            inner = derivative(base, by)
            return multiply(Number(exponent), power(base, exponent - 1), inner) if inner is not ZERO else ZERO
        case Call(arguments=arguments, slopes=slopes):
            inner = [derivative(argument, by) for argument in arguments]
            if all(one is ZERO for one in inner):
                return ZERO
            return add(*(multiply(slope, one) for slope, one in zip(slopes(result or formula), inner, strict=True)))
        case Opaque(arguments=arguments, slopes=slopes) if result is not None:
            pairs = zip(arguments, slopes, strict=True)
            return add(*(multiply(Partial(result, one, slope), derivative(one, by)) for one, slope in pairs))
    return ZERO


def _of_cell(cell: Cell, by: Cell) -> Formula:
    if cell is by:
        return ONE
    if cell.stem or not cell.grad or cell.definition is None:
        return ZERO
    return derivative(cell.definition, by, cell)


def _of_product(product: Product, by: Cell) -> Formula:
    factors, divisors = product.factors, product.divisors
    terms = []
    for place, factor in enumerate(factors):
        inner = derivative(factor, by)
        terms.append(
            multiply(*factors[:place], inner, *factors[place + 1 :], by=divisors) if inner is not ZERO else ZERO
        )
    for place, divisor in enumerate(divisors):
        inner = derivative(divisor, by)
        squared = (*divisors[:place], power(divisor, 2), *divisors[place + 1 :])
        terms.append(multiply(Number(-1), *factors, inner, by=squared) if inner is not ZERO else ZERO)
    return add(*terms)


def cells(formula: Formula | None, written: bool = False) -> Iterator[Cell]:
    """The cells directly inside a formula, those without a name too; `written`: also what only its writing shows."""
    match formula:
        case Cell():
            yield formula
        case Sum(terms=parts) | Opaque(arguments=parts):
            for part in parts:
                yield from cells(part, written)
        case Product(factors=factors, divisors=divisors):
            for part in (*factors, *divisors):
                yield from cells(part, written)
        case Power(base=base):
            yield from cells(base, written)
        case Call(arguments=arguments, shown=shown):
            for part in arguments if shown is None or not written else (*arguments, shown):
                yield from cells(part, written)


def named(formula: Formula | None) -> Iterator[Cell]:
    """The cells with names that a formula is written in terms of, as far as its derivatives go."""
    for cell in cells(formula):
        if cell.stem:
            yield cell
        else:
            yield from named(cell.definition)
