"""Which numbers of a computation get a name and a line of their own, and which are written inside another's formula."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from torch import nn

from truestep.explain.chain.algebra import Call, Cell, Formula, Number, Opaque, Power, Product, Sum, bare, cells
from truestep.explain.chain.trace import christen

LONGEST = 12
"""The most names in a formula inside another formula."""


class Names:
    """Gives every name out once: a second `z` is `z_2`."""

    def __init__(self, *taken: str) -> None:
        self._taken = set(taken)

    def claim(self, wanted: str) -> str:
        """The wanted name, or the first free one with a number behind it."""
        free, number = wanted, 1
        while free in self._taken:
            number += 1
            free = f"{wanted}_{number}"
        self._taken.add(free)
        return free


def readable(path: str, model: object) -> str:
    """The name of a module or parameter, its bare positions told by their class: `0.weight` is `linear0.weight`."""
    parts = path.split(".")
    modules = dict(model.named_modules()) if isinstance(model, nn.Module) else {}
    found = [modules.get(".".join(parts[: depth + 1])) for depth in range(len(parts))]
    return ".".join(
        f"{type(module).__name__.lower()}{part}" if part.isdigit() and module is not None else part
        for part, module in zip(parts, found, strict=True)
    )


def alive(made: Iterable[Cell], roots: Iterable[Cell]) -> list[Cell]:
    """The computed cells that the roots depend on or are explained with, in the order in which they were made."""
    wanted: set[Cell] = set()
    stack = list(roots)
    while stack:
        cell = stack.pop()
        if cell not in wanted:
            wanted.add(cell)
            stack.extend(_inside(cell))
    return [cell for cell in made if cell in wanted]


def _inside(cell: Cell) -> list[Cell]:
    formula = cell.definition
    mentioned = formula.mentions(cell) if isinstance(formula, Call) else ()
    return [*cells(formula, written=True), *mentioned]


def settle(computed: Sequence[Cell], names: Names) -> None:
    """Name every cell that would not read well inside the formula of another, together with those made beside it."""
    uses = Counter(child for cell in computed for child in set(_inside(cell)))
    living, chosen = set(computed), dict[Cell, None]()
    for cell in computed:
        for child, where in [*_spots(cell.definition, "sum"), *([(cell, "sum")] if cell.whole else [])]:
            if not child.stem and child.group is not None and not _reads_well(child, where, uses[child]):
                fellows = [one for one in child.group.flat if one in living and not one.stem]
                chosen |= dict.fromkeys(fellows)
                for one in fellows:
                    one.stem = "?"  # a name from now on; which one is told by the order of the computation
    given: dict[int, str] = {}
    for cell in (one for one in computed if one in chosen):
        assert cell.group is not None
        softmax = isinstance(cell.definition, Call) and cell.definition.name == "softmax"
        if id(cell.group) not in given:
            number = 1 + sum(not stem.startswith("softmax") for stem in given.values())
            given[id(cell.group)] = names.claim("softmax" if softmax else f"h{number}")
        christen(cell, given[id(cell.group)], cell.group.shape, cell.place)


def _spots(formula: Formula | None, where: str) -> Iterator[tuple[Cell, str]]:
    """The cells without names in a formula, and what part of it they are: a term, a factor or an argument."""
    match formula:
        case Cell(stem=""):
            if isinstance(formula.definition, Cell):
                yield from _spots(formula.definition, where)
            elif not isinstance(formula.definition, Number):
                yield formula, where
        case Sum(terms=terms):
            for term in terms:
                yield from _spots(term, "sum")
        case Product(factors=factors, divisors=divisors):
            busy = [part for part in (*factors, *divisors) if not _plain(part)]
            for part in factors:
                yield from _spots(part, "sum" if busy == [part] else "factor")
            for part in divisors:
                yield from _spots(part, "factor")
        case Power(base=base):
            yield from _spots(base, "argument")
        case Call(arguments=parts):
            for part in parts:
                yield from _spots(part, "argument")
        case Opaque(arguments=parts):
            for part in parts:
                yield from _spots(part, "opaque")


def _plain(formula: Formula) -> bool:
    inner = bare(formula)
    return isinstance(inner, Number) or (isinstance(inner, Cell) and not inner.grad)


def _reads_well(cell: Cell, where: str, uses: int) -> bool:
    formula = bare(cell)
    size, calls = _size(formula)
    if cell.whole or where == "opaque" or (uses > 1 and (size > 2 or calls)):
        return False
    match where:
        case "sum":
            return size <= LONGEST
        case "factor":
            return not calls and size <= 2 if isinstance(formula, Product) else not cell.grad and size <= 3
        case _:
            return size <= 2 and not calls


def _size(formula: Formula) -> tuple[int, int]:
    """How many names and functions a formula holds when it is written out."""
    match bare(formula):
        case Cell():
            return 1, 0
        case Opaque():
            return 1, 1
        case inner:
            found = [_size(part) for part in _parts(inner)]
            return sum(size for size, _ in found), sum(calls for _, calls in found) + isinstance(inner, Call)


def _parts(formula: Formula) -> Sequence[Formula]:
    match formula:
        case Sum(terms=parts) | Call(arguments=parts):
            return parts
        case Product(factors=factors, divisors=divisors):
            return (*factors, *divisors)
        case Power(base=base):
            return (base,)
    return ()
