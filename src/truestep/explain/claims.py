"""Claims about a step, each with its verdict and its figures, and how they are shown."""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

EXACT, IMPOSSIBLE = "exact", "cannot be"


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim, tried on the user's own model and data.

    `verdict`: "exact" (nothing but rounding), "off by 3.2e-3", or "cannot be" where the mathematics or the precision
    forbids it; `error`: relative, in the precision of the step; `error64`: the same in float64, None where it cannot be
    run; `words`: what to make of it.
    """

    claim: str
    verdict: str
    error: float
    error64: float | None
    words: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What holds of a step on one batch, claim by claim."""

    claims: tuple[Claim, ...]

    @property
    def exact(self) -> bool:
        """Whether every claim holds to within rounding."""
        return all(claim.verdict == EXACT for claim in self.claims)

    @property
    def off(self) -> tuple[Claim, ...]:
        """The claims that could hold and do not: something is wrong there."""
        return tuple(claim for claim in self.claims if claim.verdict not in (EXACT, IMPOSSIBLE))

    @property
    def impossible(self) -> tuple[Claim, ...]:
        """The claims that cannot hold for this model, loss or precision."""
        return tuple(claim for claim in self.claims if claim.verdict == IMPOSSIBLE)

    @property
    def words(self) -> str:
        """The verdict on the step in a sentence."""
        number = len(self.claims)
        if self.off:
            return f"This step is not exact: {len(self.off)} of {number} claims are off."
        if self.impossible:
            held = number - len(self.impossible)
            return f"{held} of {number} claims are exact, and nothing is off; {len(self.impossible)} cannot be."
        return f"This step is exact on this model and data: all {number} claims hold."

    def table(self) -> str:
        """The claims as a table of plain text, the sentence of the whole below it."""
        said = dict.fromkeys(claim.words for claim in self.claims if claim.verdict != EXACT)
        under = "\n".join(textwrap.fill(words, 110, subsequent_indent="  ") for words in (*said, self.words))
        return f"{text_table(_HEAD[:-1], [row[:-1] for row in self._rows()])}\n\n{under}"

    def _rows(self) -> list[tuple[str, ...]]:
        return [(c.claim, c.verdict, figure(c.error), figure(c.error64), c.words) for c in self.claims]

    def __repr__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        return html_table(_HEAD, self._rows(), self.words)


_HEAD = ("claim", "verdict", "error", "in float64", "what to make of it")


def figure(error: float | None) -> str:
    """A relative error to two digits; "-" where there is none."""
    if error is None or not math.isfinite(error):
        return "-" if error is None or math.isnan(error) else "inf"
    digits, _, power = f"{error:.1e}".partition("e")
    return "0" if error == 0 else f"{digits}e{int(power)}"


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns of plain text, the last one as wide as it likes."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head) - 1)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in (head, *rows)
    ]
    return "\n".join(lines)


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]], words: str) -> str:
    """The same table for a notebook; every text is escaped."""

    def line(tag: str, cells: Sequence[str]) -> str:
        inner = "".join(f'<{tag} style="text-align:left">{html.escape(cell)}</{tag}>' for cell in cells)
        return f"<tr>{inner}</tr>"

    body = "".join([line("th", head), *(line("td", row) for row in rows)])
    return f"<table>{body}</table><p>{html.escape(words)}</p>"
