"""One step of a small model written out: forward pass, loss, chain rule and update, with the numbers in them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from truestep.core import batch
from truestep.core.errors import ConfigError
from truestep.core.model import Model
from truestep.core.objective import as_objective
from truestep.explain.chain.algebra import (
    Cell,
    Formula,
    Number,
    Opaque,
    Partial,
    add,
    multiply,
)
from truestep.explain.chain.computation import Computation, record
from truestep.explain.chain.notation import NEW, Latex, Text, Writer, escaped
from truestep.explain.chain.slopes import Slope, check_autograd, definition, slopes_of

PARAMETERS, SAMPLES, LINES = 64, 8, 400
"""The largest model, the largest batch and the longest chain that are written out."""

WIDTH = 110
MEANINGS = {
    "relu": "relu(z) is z where z > 0 and 0 elsewhere",
    "step": "step(z), the slope of relu, is 1 where z > 0 and 0 elsewhere",
    "sign": "sign(z), the slope of abs, is 1 above 0, -1 below, and 0 at 0",
    "sigmoid": "sigmoid(z) = 1 / (1 + exp(-z))",
    "softplus": "softplus(z) = log(1 + exp(z))",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One equation, `name = rule = symbols = numbers = value`, without the sides that repeat another.

    `title` says which part of the step it belongs to, `rule` is the chain rule of a derivative, `symbols` the formula
    that it comes to, `numbers` the same with every name replaced, `value` the result, not rounded. `text` and `latex`
    are the whole equation.
    """

    title: str
    name: str
    rule: str
    symbols: str
    numbers: str
    value: float
    text: str
    latex: str


@dataclass(frozen=True, slots=True)
class Chain:
    """One step written out: `print(chain.text)`, or its LaTeX in a notebook.

    `steps` are the equations in the order of the computation, `remarks` what they leave unsaid.
    """

    steps: tuple[Line, ...]
    remarks: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Plain text under headings, an equation a line, or a line for each side of a long one."""
        blocks = ["\n".join([title, *(row for line in lines for row in _rows(line))]) for title, lines in self._parts()]
        return "\n\n".join([*blocks, "\n".join(self.remarks)] if self.remarks else blocks)

    @property
    def latex(self) -> str:
        """LaTeX for math mode: one `aligned` block, its equations aligned at their first equals sign."""
        rows = []
        for title, lines in self._parts():
            rows.append(rf"&\textbf{{{escaped(title)}}}")
            rows += [row for line in lines for row in _latex_rows(line)]
        rows += [rf"&\text{{{escaped(remark)}}}" for remark in self.remarks]
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex}\n$$"

    def __str__(self) -> str:
        return self.text

    def _parts(self) -> Iterator[tuple[str, list[Line]]]:
        for title in dict.fromkeys(line.title for line in self.steps):
            yield title, [line for line in self.steps if line.title == title]


def write_out(
    model: Model,
    objective: Any,
    inputs: Any,
    targets: Any,
    named_parameters: Mapping[str, Tensor] | Iterable[tuple[str, Tensor]] | None = None,
    lr: float | None = None,
    digits: int = 4,
) -> Chain:
    """Write out one step: `dloss/dw = sum over i of dloss/dy_i * dy_i/dw` with the numbers of this batch.

    Every number is the one that the model computed, rounded only where it is printed; the derivatives are worked out
    from the formulas in float64 and checked against autograd. An operation whose formula is not known stands by its
    name, with derivatives that autograd measured. Weights, buffers and random state end as they were.

    Args:
        model: a module, or any callable `model(inputs)`.
        objective: an `Objective`, or a single loss.
        inputs: the samples, at most 8 of them.
        targets: what the objective compares with.
        named_parameters: name -> tensor, at most 64 numbers in all; a module's own unless given.
        lr: rate of plain SGD, `w_new = w - lr * dloss/dw`; None leaves the update out.
        digits: decimals that are printed.

    Raises:
        ConfigError: for a model, a batch or a chain too large to read, and where the gradient of autograd is not that
            of the formulas, since a hook or a backward of one's own changed it.
        NonFiniteError: naming the first number that is not finite.

    >>> import torch
    >>> w, b = torch.tensor(-0.2505, requires_grad=True), torch.tensor(0.9166, requires_grad=True)
    >>> x, target = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.5, 2.5, 3.5])
    >>> chain = write_out(lambda x: w * x + b, nn.MSELoss(), x, target, {"w": w, "b": b}, lr=0.01)
    >>> print(chain.steps[-2].text)
    w_new = w - lr · ∂loss/∂w = -0.2505 - 0.01 · (-10.0049) = -0.1505
    """
    parameters = _parameters(model, named_parameters)
    _check_settings(parameters, max(batch.rows(inputs), batch.rows(targets)), lr, digits)
    computation = record(model, as_objective(objective), inputs, targets, parameters)
    slopes = slopes_of(computation)
    check_autograd(computation, slopes)
    equations = _Equations(digits)
    lines = [*_forward(computation, equations), *_backward(computation, slopes, equations)]
    if lr is not None:
        lines += _update(computation, slopes, float(lr), equations)
    if len(lines) > LINES:
        raise ConfigError(
            f"this step has {len(lines)} equations and at most {LINES} are written out: give fewer samples, or a "
            "smaller model."
        )
    return Chain(tuple(lines), tuple(_remarks(computation, slopes, lines)))


def _remarks(computation: Computation, slopes: Mapping[Cell, Slope], lines: list[Line]) -> Iterator[str]:
    for function, meaning in MEANINGS.items():
        if any(re.search(rf"\b{function}\(", line.numbers) for line in lines):
            yield f"Here {meaning}."
    made = [cell.definition for cell in (*computation.forward, *computation.losses)]
    opaque = dict.fromkeys(formula.name for formula in made if isinstance(formula, Opaque))
    if opaque:
        yield (
            f"{', '.join(opaque)}: known by name only. In the parentheses stand the numbers that a gradient flows to; "
            "autograd measured the derivatives."
        )
    unreached = [name for name, gradient in computation.gradients.items() if gradient is None]
    for name in unreached:
        yield f"The loss does not depend on {name}: its gradient is None, and a step leaves it alone."
    own = {cell for name in unreached for cell in computation.parameters[name].flat}
    if any(not slope.terms for cell, slope in slopes.items() if cell not in own):
        yield "Where a derivative is 0 and no formula stands there, nothing in the loss depends on that number."


# --- equations --------------------------------------------------------------------------------------------------------


class _Equations:
    """Writes equations in both languages."""

    def __init__(self, digits: int) -> None:
        self._languages = [(Writer(one, digits), Writer(one, digits, numbers=True)) for one in (Text(), Latex())]

    def line(
        self, title: str, name: Cell | Partial, formula: Formula, value: float, rule: Formula | None = None
    ) -> Line:
        (text, sides), (latex, _) = (self._equation(*pair, name, formula, value, rule) for pair in self._languages)
        return Line(title, *sides, value, text, latex)

    def _equation(
        self, names: Writer, numbers: Writer, left: Cell | Partial, formula: Formula, value: float, rule: Formula | None
    ) -> tuple[str, tuple[str, str, str, str]]:
        chain_rule = "" if rule is None else names.write(rule)
        sides = (names.write(left), chain_rule, names.write(formula), numbers.write(formula))
        return " = ".join(dict.fromkeys([*filter(None, sides), names.number(value)])), sides


def _forward(computation: Computation, equations: _Equations) -> Iterator[Line]:
    for cell in computation.forward:
        layer = computation.layers.get(cell.stem)
        title = f"Forward, {cell.stem} ({layer})" if layer else f"Forward, {cell.stem}"
        yield equations.line(title, cell, definition(cell), cell.value)
    for cell in (*computation.losses, computation.loss):
        yield equations.line("Loss", cell, definition(cell), cell.value)


def _backward(computation: Computation, slopes: Mapping[Cell, Slope], equations: _Equations) -> Iterator[Line]:
    computed = [*computation.forward, *computation.losses]
    for stem in dict.fromkeys(cell.stem for cell in reversed(computed) if cell in slopes):
        for cell in computed:
            if cell.stem == stem and cell in slopes:
                yield _slope_line(f"Backward, by {stem}", slopes[cell], equations)
    for name, cells in computation.parameters.items():
        if computation.gradients.get(name) is not None:
            for cell in cells.flat:
                yield _slope_line("Gradients of the parameters", slopes[cell], equations)


def _slope_line(title: str, slope: Slope, equations: _Equations) -> Line:
    rule = add(*slope.rule, over=True) if slope.rule else None
    return equations.line(title, slope.symbol, add(*slope.terms, over=True), slope.symbol.value, rule)


def _update(computation: Computation, slopes: Mapping[Cell, Slope], lr: float, equations: _Equations) -> Iterator[Line]:
    rate = Cell(lr, stem="lr")
    for name, cells in computation.parameters.items():
        for cell in cells.flat if computation.gradients.get(name) is not None else ():
            gradient = slopes[cell].symbol
            after = Cell(cell.value - lr * gradient.value, stem=cell.stem + NEW, index=cell.index)
            formula = add(cell, multiply(Number(-1), rate, gradient))
            yield equations.line("Update, plain SGD", after, formula, after.value)


def _rows(line: Line) -> list[str]:
    if len(line.text) + 2 <= WIDTH:
        return [f"  {line.text}"]
    left, *sides = line.text.split(" = ")
    return [f"  {left if not place else ' ' * len(left)} = {row}" for place, row in enumerate(_joined(sides))]


def _latex_rows(line: Line) -> list[str]:
    left, *sides = line.latex.split(" = ")
    if len(line.text) + 2 <= WIDTH:
        return [f"{left} &= {' = '.join(sides)}"]
    return [f"{'' if place else left} &= {row}".strip() for place, row in enumerate(_joined(sides))]


def _joined(sides: list[str]) -> list[str]:
    """The sides of a long equation in rows: those with names, then those with numbers, one by one where too long."""
    halves = [half for half in (sides[:-2], sides[-2:]) if half]
    return [row for half in halves for row in ([" = ".join(half)] if sum(map(len, half)) < WIDTH - 20 else half)]


# --- what cannot be written out ---------------------------------------------------------------------------------------


def _parameters(model: Model, given: Any) -> dict[str, Tensor]:
    if given is None and isinstance(model, nn.Module):
        given = model.named_parameters()
    if given is None:
        raise ConfigError("a plain function does not name its parameters: give named_parameters={'w': w, 'b': b}.")
    found = dict(given)
    for name, tensor in found.items():
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            raise ConfigError(f"the parameter {name} must be a tensor of real numbers, and is {type(tensor).__name__}.")
    return found


def _check_settings(parameters: Mapping[str, Tensor], samples: int, lr: Any, digits: Any) -> None:
    size = sum(tensor.numel() for tensor in parameters.values())
    if size > PARAMETERS:
        raise ConfigError(
            f"the model has {size:,} parameters and a chain is written out for at most {PARAMETERS}: give a smaller "
            "one of the same kind, say with 2 hidden units."
        )
    if samples > SAMPLES:
        raise ConfigError(
            f"the batch has {samples:,} samples and a chain is written out for at most {SAMPLES}: "
            f"give inputs[:{SAMPLES}] and targets[:{SAMPLES}]."
        )
    if not isinstance(digits, int) or not 1 <= digits <= 12:
        raise ConfigError(f"digits is a number of decimals from 1 to 12, and not {digits!r}.")
    if lr is not None and not (isinstance(lr, int | float | Tensor) and math.isfinite(lr)):
        raise ConfigError(f"lr is a finite number, the rate of plain SGD, and not {lr!r}.")
