"""The derivatives of the loss by every number of a computation, from the chain rule, held against autograd's own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from truestep.core.errors import ConfigError, NonFiniteError
from truestep.explain.chain.algebra import ONE, ZERO, Cell, Formula, Partial, derivative, evaluate, multiply, named
from truestep.explain.chain.computation import Computation, label


@dataclass(frozen=True, slots=True)
class Slope:
    """`∂loss/∂cell`: the terms of the chain rule as symbols, and what they come to."""

    symbol: Partial
    rule: tuple[Formula, ...]
    terms: tuple[Formula, ...]

    @property
    def size(self) -> float:
        """The sum of the sizes of the terms, which may cancel out."""
        return sum(abs(evaluate(term)) for term in self.terms)


def slopes_of(computation: Computation) -> dict[Cell, Slope]:
    """The derivative of the loss by each number, from the loss back to the parameters."""
    loss = computation.loss
    users: dict[Cell, list[Cell]] = {}
    for cell in (one for one in (*computation.forward, *computation.losses, loss) if one.grad):
        for used in dict.fromkeys(named(cell.definition)):
            users.setdefault(used, []).append(cell)
    worth: dict[Cell, Formula] = {loss: ONE, **computation.shares}
    found: dict[Cell, Slope] = {}
    leaves = [cell for cells in computation.parameters.values() for cell in cells.flat]
    asked = {*computation.outputs, *leaves}
    for cell in (*reversed((*computation.forward, *computation.losses)), *leaves):
        if not cell.grad or cell in worth:
            continue
        slope = _slope(cell, [user for user in users.get(cell, []) if user in worth], loss, worth)
        if slope.terms or cell in asked:  # nothing flows through any other, say through one that is detached later on
            found[cell], worth[cell] = slope, slope.symbol
    return found


def _slope(cell: Cell, users: Sequence[Cell], loss: Cell, worth: Mapping[Cell, Formula]) -> Slope:
    """The chain rule: over all that is computed from the cell, what that is worth times how it follows the cell."""
    rule, terms = [], []
    for user in users:
        local = derivative(definition(user), cell, user)
        if local is not ZERO:
            terms.append(multiply(worth[user], local))
            direct = Partial(user, cell, 0.0)
            rule.append(direct if user is loss else multiply(Partial(loss, user, 0.0), direct))
    value = math.fsum(map(evaluate, terms))
    if not math.isfinite(value):
        raise NonFiniteError(f"the derivative of the loss by {label(cell)} is {value}: no chain can be written out.")
    return Slope(Partial(loss, cell, value), tuple(rule), tuple(terms))


def check_autograd(computation: Computation, slopes: Mapping[Cell, Slope]) -> None:
    """Refuse to print a derivative that is not the one that the step would use."""
    for name, cells in computation.parameters.items():
        gradient = computation.gradients.get(name)
        if gradient is None:
            continue
        own = [slopes[cell] for cell in cells.flat]
        actual = gradient.to_dense().flatten().tolist()
        scale = max([slope.size for slope in own] + [abs(number) for number in actual])
        tolerance = min(1e4 * computation.epsilon, 0.1) * scale
        for slope, number in zip(own, actual, strict=True):
            if not math.isfinite(number):
                raise NonFiniteError(f"autograd's gradient of {name} is {number}: no chain can be written out.")
            if not abs(slope.symbol.value - number) <= tolerance:
                raise ConfigError(
                    f"autograd's gradient of {name} is {number:g} and its formulas give {slope.symbol.value:g}: a "
                    "hook or a backward of its own changes it, so this step cannot be written out."
                )


def definition(cell: Cell) -> Formula:
    """The formula of a cell that was computed."""
    assert cell.definition is not None
    return cell.definition
