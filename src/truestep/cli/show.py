"""What a person sees: tables and lines on stdout, sentences on stderr, and the same as one JSON object."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from truestep.store.schema import strict

MOST = 40  # a longer history is thinned out on the screen
WIDE = 10_000  # columns of what is no terminal


def say(sentence: str) -> None:
    """A sentence on stderr."""
    print(sentence, file=sys.stderr, flush=True)


def show_json(found: Mapping[str, Any]) -> None:
    """One JSON object on stdout; JSON has no not-a-number, which becomes null."""
    print(json.dumps(strict(found), allow_nan=False), flush=True)


def show_table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str | Text]],
    words: Collection[str] = (),
    bold: int | None = None,
    spare: Sequence[str] = (),
) -> None:
    """A table; the columns `words` are set to the left, and the row `bold` stands out.

    In a pipe nothing is cut off. Where a terminal is too narrow, the columns `spare` are left out, the first one first.
    """
    width = None if sys.stdout.isatty() else WIDE
    console = Console(width=width, highlight=False, markup=False, emoji=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for head in heads:
        table.add_column(head, justify="left" if head in words else "right", overflow="fold")
    for place, row in enumerate(rows):
        table.add_row(*row, style="bold" if place == bold else None)
    needed = console.measure(table, options=console.options.update(max_width=WIDE)).maximum
    if needed > console.width and spare:
        kept = [place for place, head in enumerate(heads) if head != spare[0]]
        narrow = [[row[place] for place in kept] for row in rows]
        show_table([heads[place] for place in kept], narrow, words, bold, spare[1:])
        return
    with console.capture() as drawn:  # rich would end the process by itself where the reader of a pipe has gone
        console.print(table)
    print(drawn.get(), end="")


def show_words(*paragraphs: str) -> None:
    """Paragraphs on stdout: wrapped for a terminal, a letter of Chinese being two columns wide; whole in a pipe."""
    if not sys.stdout.isatty():
        print("\n".join(paragraphs))
        return
    console = Console(highlight=False, markup=False, emoji=False)
    with console.capture() as wrapped:
        console.print("\n".join(paragraphs), width=min(console.width, 100))
    print(wrapped.get(), end="")


def show_history(history: Sequence[Mapping[str, Any]], best: int | None) -> None:
    """An epoch a line, with every figure of training and validation; the best epoch has a star."""
    if not history:
        return
    sides = [name for name in history[-1] if name.startswith(("train_", "valid_"))]
    every = math.ceil(len(history) / MOST)
    shown = [r for r in history if r["epoch"] % every == 0 or r["epoch"] in (1, best, len(history))]
    rows = [
        [f"{record['epoch']}{' *' if record['epoch'] == best else '  '}"]
        + [figure(name, record[name]) for name in sides]
        + [f"{record['samples'] / record['seconds']:,.0f}" if record["seconds"] else ""]
        for record in shown
    ]
    heads = ["epoch", *(name.replace("_", " ") for name in sides), "samples/s"]
    show_table(heads, rows, bold=next((i for i, r in enumerate(shown) if r["epoch"] == best), None))
    if every > 1:
        print(f"{len(history)} epochs, of which 1 in {every}, the first, the best (*) and the last are shown")
    print()


def figure(name: str, value: Any) -> str:
    """A figure as a person reads it: a share as per cent, anything else in four digits."""
    if value is None or not math.isfinite(value):
        return "-" if value is None else str(value)
    return f"{100 * value:.2f} %" if name.endswith("accuracy") else f"{value:.4g}"
