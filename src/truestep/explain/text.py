"""A ledger as plain text: aligned columns, bars for shares, and one plain sentence under each table."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from truestep.explain.figures import safe, shorten, width
from truestep.explain.sheets import Bar, Sheet, bars_of, facts, notes, sheets, spans

if TYPE_CHECKING:
    from truestep.explain.ledger import Ledger

WIDTH = 100  # columns that a sentence has
NAME, LABEL = 32, 24  # columns that words in a table and causes beside a bar have
BAR = 20  # columns that the whole axis of a bar has
GAP = "  "


def table(ledger: Ledger) -> str:
    """The whole ledger as text: the facts of the step, every table with its sentence, and what could not be known."""
    heads = max((len(name) for name, _ in facts(ledger)), default=0)
    said = [
        textwrap.fill(safe(f"{name:<{heads}}  {value}"), WIDTH, subsequent_indent=" " * (heads + 2))
        for name, value in facts(ledger)
    ]
    parts = ["\n".join(said), *(drawn(sheet) for sheet in sheets(ledger))]
    parts += [textwrap.fill(safe(f"note: {note}"), WIDTH, subsequent_indent="      ") for note in notes(ledger)]
    return "\n\n".join(parts)


def drawn(sheet: Sheet) -> str:
    """One table as text: title, columns, how many rows are folded away, and its sentence."""
    body = [line for row in rows(sheet) for line in zip_longest(*(cell.split("\n") for cell in row), fillvalue="")]
    heads = [shorten(head, LABEL) for head in sheet.heads]
    widths = [max(map(width, column)) for column in zip(heads, *body, strict=True)]
    bars = spans(sheet, stacked=False)
    left = [column in sheet.left or column in bars for column in range(len(heads))]
    lines = [sheet.title, _line(heads, widths, left), GAP.join("-" * each for each in widths)]
    lines += [_line(row, widths, left) for row in body]
    return "\n".join([*lines, *([sheet.more] if sheet.more else []), textwrap.fill(safe(sheet.words), WIDTH)])


def rows(sheet: Sheet) -> list[tuple[str, ...]]:
    """The rows that are shown as text, ready for any table: a bar is figures and blocks, several of them are lines."""
    axes = spans(sheet, stacked=False)
    columns = {column: [cell for row in sheet.rows if not isinstance(cell := row[column], str)] for column in axes}
    figures = {
        column: max(len(each.text) for cell in cells for each in bars_of(cell)) for column, cells in columns.items()
    }
    labels = {column: max((_label(cell) for cell in cells), default=0) for column, cells in columns.items()}
    return [
        tuple(
            shorten(cell, NAME) if isinstance(cell, str) else _lines(cell, axes[at], labels[at], figures[at])
            for at, cell in enumerate(row)
        )
        for row in sheet.rows[: sheet.shown]
    ]


def bar(value: float, axis: tuple[float, float], cells: int = BAR) -> str:
    """A bar of blocks in half steps, from the zero of its axis to the right, or to the left where it is negative."""
    low, high = axis
    before = math.ceil(cells * -low / (high - low))
    after = cells - before
    if not math.isfinite(value):
        return " " * before + ("|" if before else "") + " " * after
    halves = abs(value) / (high - low) * cells * 2
    room = 2 * (before if value < 0 else after)
    steps = min(room, max(1, round(halves))) if halves >= 0.1 else 0
    blocks = "█" * (steps // 2)
    left = ("▐" * (steps % 2) + blocks if value < 0 else "").rjust(before)
    right = (blocks + "▌" * (steps % 2) if value > 0 else "").ljust(after)
    return f"{left}|{right}" if before else right


def _lines(cell: Bar | tuple[Bar, ...], axis: tuple[float, float], label: int, figure: int) -> str:
    return "\n".join(
        (_padded(shorten(each.cause, LABEL), label) + GAP if label else "")
        + f"{each.text:>{figure}} "
        + bar(each.value, axis)
        for each in bars_of(cell)
    )


def _label(cell: Bar | tuple[Bar, ...]) -> int:
    """The columns of the labels in a cell: one bar alone has its name in the first column."""
    return 0 if isinstance(cell, Bar) else max(width(shorten(each.cause, LABEL)) for each in cell)


def _line(cells: Sequence[str], widths: Sequence[int], left: Sequence[bool]) -> str:
    columns = zip(cells, widths, left, strict=True)
    return GAP.join(_padded(cell, most, begins) for cell, most, begins in columns).rstrip()


def _padded(text: str, most: int, to_left: bool = True) -> str:
    blank = " " * (most - width(text))
    return text + blank if to_left else blank + text
