"""Formulas in writing, as plain text and as LaTeX, with names or with numbers in them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from truestep.explain.chain.algebra import (
    Call,
    Cell,
    Formula,
    Number,
    Opaque,
    Partial,
    Power,
    Product,
    Sum,
    bare,
    is_negative,
    multiply,
)

SUM, SIGNED, PRODUCT, POWER, ATOM = range(5)
"""How tightly a piece of writing holds together."""

Piece = tuple[str, int]
Hole = tuple[int, int, int]
"""An index that was left out: its axis, how far that axis runs, and the index itself."""

HOLE, LETTERS = "\0", "ijklmnpq"
SCIENTIFIC = 1e7
ROUNDING = 6e-8  # half a unit in the last place of float32: a number that near to a short decimal is that decimal


def number(value: float, digits: int) -> str:
    """A number with `digits` decimals, fewer where it is a shorter decimal, and in powers of ten where it is small.

    >>> [number(value, 4) for value in (5.38722353, 2.5, 1 / 3e6, 3.0)]
    ['5.3872', '2.5', '3.333e-07', '3']
    """
    fixed = f"{value:.{digits}f}"
    exact = abs(float(fixed) - value) <= ROUNDING * abs(value)
    if abs(value) >= SCIENTIFIC or (abs(value) < 10.0 ** (1 - digits) and not exact):
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        short = abs(float(f"{mantissa}e{exponent}") - value) <= ROUNDING * abs(value)
        return f"{_stripped(mantissa) if short else mantissa}e{exponent}"
    return _stripped(fixed) if exact else fixed


def _stripped(decimal: str) -> str:
    short = decimal.rstrip("0").rstrip(".") if "." in decimal else decimal
    return "0" if short == "-0" else short


class Text:
    """Plain text: `∂loss/∂w`, `2 · (output[0] - target[0]) / 3`."""

    times = " · "

    def name(self, stem: str, index: str) -> str:
        """A name with its index."""
        return f"{stem}[{index}]" if index else stem

    def number(self, written: str) -> Piece:
        """A number that is already rounded."""
        return written, SIGNED if written.startswith("-") else ATOM

    def partial(self, of: str, by: str) -> str:
        """A derivative as a symbol."""
        return f"∂{of}/∂{by}"

    def group(self, inner: str) -> str:
        """Parentheses."""
        return f"({inner})"

    def quotient(self, top: Piece, bottom: Piece) -> Piece:
        """A fraction."""
        upper = self.group(top[0]) if top[1] == SUM else top[0]
        lower = self.group(bottom[0]) if bottom[1] < POWER else bottom[0]
        return f"{upper} / {lower}", SIGNED if top[1] == SIGNED else PRODUCT

    def power(self, base: str, exponent: str) -> str:
        """A power."""
        if exponent in SUPERSCRIPTS:
            return base + SUPERSCRIPTS[exponent]
        return f"{base}^{exponent}" if exponent.isdigit() else f"{base}^({exponent})"

    def call(self, function: str, inner: str) -> str:
        """A function of its arguments."""
        return f"{function}({inner})"

    def total(self, letters: str, term: str) -> str:
        """A sum over indices."""
        return f"Σ_{letters} {term}"


SUPERSCRIPTS = {"2": "²", "3": "³"}


class Latex(Text):
    r"""LaTeX for math mode, which matplotlib's mathtext reads too: `\frac{\partial \mathrm{loss}}{\partial w}`."""

    times = r" \cdot "

    def name(self, stem: str, index: str) -> str:
        """A name with its index; one letter stands as it is, a longer name upright."""
        if stem.endswith(NEW):
            return self.name(stem.removesuffix(NEW), index) + r"^{\mathrm{new}}"
        letter, _, rest = stem.partition("_")
        if letter in GREEK:
            index = ", ".join(filter(None, [rf"\mathrm{{{escaped(rest)}}}" if rest else "", index]))
            upright = GREEK[letter]
        else:
            upright = stem if len(stem) == 1 and stem.isascii() and stem.isalpha() else rf"\mathrm{{{escaped(stem)}}}"
        return f"{upright}_{{{index}}}" if index else upright

    def number(self, written: str) -> Piece:
        """A number that is already rounded, its exponent as a power of ten."""
        mantissa, _, exponent = written.partition("e")
        if not exponent:
            return super().number(written)
        return rf"{mantissa} \times 10^{{{int(exponent)}}}", SIGNED if written.startswith("-") else PRODUCT

    def partial(self, of: str, by: str) -> str:
        """A derivative as a symbol."""
        return rf"\frac{{\partial {of}}}{{\partial {by}}}"

    def group(self, inner: str) -> str:
        """Parentheses that grow with what is in them."""
        return rf"\left({inner}\right)"

    def quotient(self, top: Piece, bottom: Piece) -> Piece:
        """A fraction; what is in it needs no parentheses."""
        return rf"\frac{{{top[0]}}}{{{bottom[0]}}}", PRODUCT

    def power(self, base: str, exponent: str) -> str:
        """A power."""
        return f"{base}^{{{exponent}}}"

    def call(self, function: str, inner: str) -> str:
        """A function of its arguments, those of LaTeX in its own letters."""
        if function == "abs":
            return rf"\left|{inner}\right|"
        if function == "sqrt":
            return rf"\sqrt{{{inner}}}"
        known = f"\\{function}" if function in OWN else rf"\mathrm{{{escaped(function)}}}"
        return rf"{known}\left({inner}\right)"

    def total(self, letters: str, term: str) -> str:
        """A sum over indices."""
        return rf"\sum_{{{letters}}} {term}"


NEW = "_new"
"""What the name of a parameter after the step ends in."""

OWN = {"cos", "exp", "log", "sin", "tanh"}
GREEK = {"λ": r"\lambda"}


def escaped(name: str) -> str:
    """A name with the signs that LaTeX reads as its own made plain."""
    return "".join(f"\\{sign}" if sign in "_%#$&{}" else r"\ " if sign in "\\^~" else sign for sign in name)


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes formulas in one language with so many digits: with names, or with `numbers` in their place.

    With names, a sum over the elements of a tensor is written once, `Σ_i output[i]`, where its terms differ in their
    indices only; `holes` collects those indices while a
    term is written.
    """

    language: Text
    digits: int
    numbers: bool = False
    holes: list[Hole] | None = None

    def write(self, formula: Formula) -> str:
        """The formula as it stands on the right of an equals sign."""
        return self._piece(formula)[0]

    def name(self, cell: Cell) -> str:
        """The name of a cell."""
        if self.holes is None:
            return self.language.name(cell.stem, ",".join(map(str, cell.index)))
        self.holes.extend(zip(range(len(cell.index)), cell.shape, cell.index, strict=True))
        return self.language.name(cell.stem, ",".join(HOLE for _ in cell.index))

    def number(self, value: float) -> str:
        """A number by itself."""
        return self.language.number(number(value, self.digits))[0]

    def _piece(self, formula: Formula, first: bool = True) -> Piece:
        """A formula and how tightly it holds together; what does not stand `first` starts with no bare minus."""
        match bare(formula):
            case Number(value=value):
                return self.language.number(number(value, self.digits))
            case Cell(value=value) | Partial(value=value) if self.numbers:
                return self.language.number(number(value, self.digits))
            case Cell() as cell:
                return self.name(cell), ATOM
            case Partial(of=of, by=by):
                return self.language.partial(self.name(of), self.name(by)), PRODUCT
            case Sum() as inner:
                return self._sum(inner)
            case Product(factors=factors, divisors=()):
                return self._product(factors, first)
            case Product(factors=factors, divisors=divisors):
                return self.language.quotient(self._product(factors, first), self._product(divisors, True))
            case Power(base=base, exponent=exponent):
                return self.language.power(self._held(self._piece(base), ATOM), f"{exponent:g}"), POWER
            case Call(shown=shown) if shown is not None:
                return self._piece(shown, first)
            case Call(name=name, arguments=parts) | Opaque(name=name, arguments=parts):
                return self.language.call(name, ", ".join(map(self.write, parts))), ATOM

    def _held(self, piece: Piece, level: int) -> str:
        return piece[0] if piece[1] >= level else self.language.group(piece[0])

    def _product(self, factors: Sequence[Formula], first: bool) -> Piece:
        if not factors:
            return "1", ATOM
        if len(factors) == 1:
            return self._piece(factors[0], first)
        if isinstance(factors[0], Number) and factors[0].value == -1:
            return f"-{self._held(self._product(factors[1:], False), PRODUCT)}", SIGNED
        head, *rest = map(self._piece, factors)
        pieces = [self._held(head, SIGNED if first else PRODUCT), *(self._held(piece, PRODUCT) for piece in rest)]
        return self.language.times.join(pieces), SIGNED if first and head[1] == SIGNED else PRODUCT

    def _sum(self, formula: Sum) -> Piece:
        terms = [(is_negative(term), _without_sign(term)) for term in formula.terms]
        if formula.over and not self.numbers and self.holes is None:
            pieces = self._patterns(terms)
        else:
            pieces = [(sign, self._piece(term, place == 0 and not sign)) for place, (sign, term) in enumerate(terms)]
        if len(pieces) == 1 and not pieces[0][0]:
            return pieces[0][1]
        written = ""
        for negative, (text, level) in pieces:
            loose = (negative or formula.over) if level == SUM else (negative or written) and level == SIGNED
            sign = (" - " if negative else " + ") if written else "-" if negative else ""
            written += sign + (self.language.group(text) if loose else text)
        return written, SUM if len(pieces) > 1 else SIGNED

    def _patterns(self, terms: Sequence[tuple[bool, Formula]]) -> list[tuple[bool, Piece]]:
        """Terms that differ in their indices only as one sum over these, all others as they are."""
        alike: dict[tuple[bool, Piece], dict[int, list[Hole]]] = {}
        for place, (negative, term) in enumerate(terms):
            holes: list[Hole] = []
            piece = Writer(self.language, self.digits, holes=holes)._piece(term, first=place == 0)
            alike.setdefault((negative, piece), {})[place] = holes
        found: dict[int, tuple[bool, Piece]] = {}
        for (negative, (text, level)), rows in alike.items():
            letters, filled = _letters(list(rows.values()))
            if letters:
                body = self.language.group(text) if level <= SIGNED else text
                found[min(rows)] = negative, (self.language.total(letters, _fill(body, filled)), SUM)
            else:
                found |= {
                    place: (negative, (_fill(text, [str(number) for *_, number in row]), level))
                    for place, row in rows.items()
                }
        return [piece for _, piece in sorted(found.items())]


def _without_sign(term: Formula) -> Formula:
    return multiply(Number(-1), bare(term)) if is_negative(term) else term


def _letters(rows: Sequence[Sequence[Hole]]) -> tuple[str, list[str]]:
    """The letters to sum over and the index that fills each hole, or "" where no such sum has just these terms."""
    columns = [tuple(place for *_, place in column) for column in zip(*rows, strict=True)]
    axes: dict[tuple[int, ...], int] = {}
    for column, (axis, size, _) in zip(columns, rows[0], strict=True):
        if len(set(column)) > 1 and set(column) != set(range(size)):
            return "", []  # a sum over a part of an axis would read as one over all of it
        axes.setdefault(column, axis)
    varying = [column for column in axes if len(set(column)) > 1]
    sizes = [len(set(column)) for column in varying]
    if not varying or not len(set(zip(*varying, strict=True))) == len(rows) == math.prod(sizes):
        return "", []
    letter: dict[tuple[int, ...], str] = {}
    for column in varying:  # the first axis is i, the second j, unless that letter runs already
        free = [one for one in LETTERS[axes[column] :] + LETTERS if one not in letter.values()]
        letter[column] = free[0]
    return ",".join(letter.values()), [letter.get(column, str(column[0])) for column in columns]


def _fill(template: str, indices: Sequence[str]) -> str:
    head, *tails = template.split(HOLE)
    return head + "".join(index + tail for index, tail in zip(indices, tails, strict=True))
