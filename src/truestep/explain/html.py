"""A ledger as HTML that needs nothing else: no script, no file, no font, and no style outside of its own section."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from truestep.explain.sheets import Bar, Cell, Sheet, bars_of, facts, looks, notes, sheets, spans
from truestep.store.atomic import write_text

if TYPE_CHECKING:
    from truestep.explain.ledger import Ledger

Looks = Mapping[str, tuple[str, bool]]
Axis = tuple[float, float]

DAY = "--ink:#1b1b1b;--quiet:#595959;--line:#d0d0d0;--paper:#fff;--plain:#0072b2;--edge:#0008;color-scheme:light"
NIGHT = "--ink:#e8e8e8;--quiet:#b0b0b0;--line:#484848;--paper:#181a1f;--plain:#56b4e9;--edge:#fff6;color-scheme:dark"
# Every rule is under one class, twice where a notebook's own rules for tables would weigh more. A notebook has a day
# and a night of its own, whatever the machine has.
STYLE = f"""
.truestep-ledger{{{DAY};color:var(--ink);background:var(--paper);font:15px/1.45 system-ui,sans-serif;
 max-width:64rem;padding:1rem;margin:0 auto}}
@media screen and (prefers-color-scheme:dark){{.truestep-ledger{{{NIGHT}}}}}
@media screen{{:is([data-jp-theme-light="false"],.vscode-dark,.vscode-high-contrast,[theme=dark])
 .truestep-ledger{{{NIGHT}}}
:is([data-jp-theme-light="true"],.vscode-light,.vscode-high-contrast-light) .truestep-ledger{{{DAY}}}}}
""" + """\
.truestep-ledger *{box-sizing:border-box}
.truestep-ledger h2{font-size:1.4em;margin:0 0 .3em;color:inherit}
.truestep-ledger .said{margin:.4em 0 1.6em;max-width:46rem;overflow-wrap:anywhere}
.truestep-ledger .first{font-size:1.1em}
.truestep-ledger dl{display:grid;grid-template-columns:max-content 1fr;gap:.1em 1em;margin:0 0 1.6em}
.truestep-ledger dt{color:var(--quiet);font-weight:400}
.truestep-ledger dd{margin:0;overflow-wrap:anywhere}
.truestep-ledger .wide{overflow-x:auto}
.truestep-ledger.truestep-ledger table{border-collapse:collapse;table-layout:auto;width:100%;margin:0;
 font-size:1em;color:inherit;
 font-variant-numeric:tabular-nums;border:0}
.truestep-ledger.truestep-ledger caption{text-align:left;font-weight:600;font-size:1.1em;padding:0 0 .2em;color:inherit}
.truestep-ledger.truestep-ledger tr{background:transparent!important}
.truestep-ledger.truestep-ledger :is(th,td){text-align:right;vertical-align:top;padding:.25em .8em .25em 0;border:0;
 border-bottom:1px solid var(--line);font-weight:400;color:inherit;white-space:nowrap}
.truestep-ledger.truestep-ledger :is(th,td).left{text-align:left}
.truestep-ledger.truestep-ledger th.left{white-space:normal;overflow-wrap:anywhere;min-width:6em}
.truestep-ledger.truestep-ledger thead th{color:var(--quiet);font-size:.87em;vertical-align:bottom;white-space:normal;
 overflow-wrap:break-word;max-width:12em}
.truestep-ledger.truestep-ledger :is(th,td).bars{text-align:left;width:45%;min-width:13em;padding-right:0;
 white-space:normal}
.truestep-ledger .one{display:flex;gap:.6em;align-items:center}
.truestep-ledger .one .figure{flex:0 0 5.2em;text-align:right;white-space:nowrap}
.truestep-ledger .bar{position:relative;flex:1 1 auto;height:1em;margin:.22em 0}
.truestep-ledger .bar i{position:absolute;top:0;bottom:0}
.truestep-ledger :is(.bar i,.key){box-shadow:inset 0 0 0 1px var(--edge)}
.truestep-ledger .bar b{position:absolute;top:-2px;bottom:-2px;width:1px;background:var(--ink)}
.truestep-ledger .parts{display:flex;flex-wrap:wrap;gap:0 1em;font-size:.87em}
.truestep-ledger .parts span{overflow-wrap:anywhere}
.truestep-ledger .key{display:inline-block;width:.8em;height:.8em;margin-right:.35em;vertical-align:-.05em}
.truestep-ledger summary{cursor:pointer;padding:.4em 0;color:var(--quiet)}
.truestep-ledger :is(.bar i,.key){print-color-adjust:exact;-webkit-print-color-adjust:exact}
@media (max-width:40rem){.truestep-ledger{font-size:13px}.truestep-ledger.truestep-ledger :is(th,td){padding-right:.5em}
 .truestep-ledger.truestep-ledger th.left{min-width:6em}
 .truestep-ledger.truestep-ledger :is(th,td).bars{min-width:11em}}
@media print{.truestep-ledger{max-width:none}.truestep-ledger details::details-content{content-visibility:visible;
 display:block;height:auto}.truestep-ledger tr{break-inside:avoid}.truestep-ledger .wide{overflow:visible}}
""".rstrip()

SHARES = "The shares add up to 100 %; a cause with a negative one worked against the update."

SHELL = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>One step, explained</title>
<style>body{{margin:0;background:#fff}}
@media screen and (prefers-color-scheme:dark){{body{{background:#181a1f}}}}</style>
</head>
<body>
{page}
</body>
</html>
"""


def page(ledger: Ledger) -> str:
    """The ledger as one section with its own style, for a notebook or any page."""
    found = [_sheet(sheet, looks(ledger.causes)) for sheet in sheets(ledger)]
    told = "".join(f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>" for name, value in facts(ledger))
    unknown = "".join(f"<li>{_text(note)}</li>" for note in notes(ledger))
    parts = [
        f"<style>{STYLE}</style>",
        '<section class="truestep-ledger">',
        "<h2>One step, explained</h2>",
        f'<p class="said first">{_text(ledger.words)}</p>',
        f"<dl>{told}</dl>",
        *found,
        *([f"<h3>What could not be known</h3><ul>{unknown}</ul>"] if unknown else []),
        "</section>",
    ]
    return "\n".join(parts)


def write(ledger: Ledger, path: str | Path) -> Path:
    """Write the ledger as one page that stands alone, and return its path.

    Raises:
        StoreError: where the file cannot be written.
    """
    write_text(path, SHELL.format(page=page(ledger)))
    return Path(path)


def _sheet(sheet: Sheet, colours: Looks) -> str:
    axes = spans(sheet, stacked=True)
    lines = [_row(row, sheet, axes, colours) for row in sheet.rows]
    first = _table(sheet, axes, sheet.title, lines[: sheet.shown])
    rest = ""
    if sheet.more:
        kept = len(lines) - sheet.shown
        missing = sheet.of - len(lines)
        title = f"{sheet.title}: the next {kept:,}" + (f", without the last {missing:,}" if missing > 0 else "")
        rest = f"<details><summary>{sheet.more}</summary>{_table(sheet, axes, title, lines[sheet.shown :])}</details>"
    return f'{first}{rest}<p class="said">{_text(_said(sheet))}</p>'


def _said(sheet: Sheet) -> str:
    """The sentence under a table; that of the causes is the first of the page, so here it is told how to read them."""
    if sheet.key != "causes":
        return sheet.words
    moved = any(bar.value for row in sheet.rows for bar in bars_of(row[-1]) if math.isfinite(bar.value))
    return SHARES if moved else ""


def _table(sheet: Sheet, axes: Mapping[int, Axis], title: str, lines: list[str]) -> str:
    heads = "".join(
        f'<th scope="col"{_class(column, sheet, axes)}>{_text(head)}</th>' for column, head in enumerate(sheet.heads)
    )
    body = "\n".join(lines)
    table = (
        f"<table><caption>{_text(title)}</caption><thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
    )
    return f'<div class="wide">{table}</div>'


def _row(row: tuple[Cell, ...], sheet: Sheet, axes: Mapping[int, Axis], colours: Looks) -> str:
    cells = []
    for column, cell in enumerate(row):
        inside = _text(cell) if isinstance(cell, str) else _bars(cell, axes[column], colours)
        if sheet.key == "causes" and column == 0 and isinstance(cell, str):
            inside = _key(cell, colours) + inside
        tag = 'th scope="row"' if column == 0 else "td"
        cells.append(f"<{tag}{_class(column, sheet, axes)}>{inside}</{tag[:2]}>")
    return f"<tr>{''.join(cells)}</tr>"


def _class(column: int, sheet: Sheet, axes: Mapping[int, Axis]) -> str:
    return ' class="bars"' if column in axes else ' class="left"' if column in sheet.left else ""


def _bars(cell: Bar | tuple[Bar, ...], axis: Axis, colours: Looks) -> str:
    """One bar with its figure before it, or the bars of all causes in a row with their figures below."""
    drawn = _drawn(bars_of(cell), axis, colours)
    if isinstance(cell, Bar):
        return f'<div class="one"><span class="figure">{_text(cell.text)}</span>{drawn}</div>'
    parts = "".join(f"<span>{_key(bar.cause, colours)}{_text(f'{bar.cause} {bar.text}')}</span>" for bar in cell)
    return f'{drawn}<div class="parts">{parts}</div>'


def _drawn(bars: tuple[Bar, ...], axis: Axis, colours: Looks) -> str:
    """The bars of one row from zero outward, on either side behind one another; a reader hears the figures instead."""
    low, high = axis
    ends, found = {True: 0.0, False: 0.0}, []
    for bar in bars:
        if not math.isfinite(bar.value):
            continue
        side = bar.value < 0
        start, ends[side] = ends[side], ends[side] + bar.value
        left, size = (min(start, ends[side]) - low) / (high - low), abs(bar.value) / (high - low)
        found.append(f'<i style="left:{100 * left:.3f}%;width:{100 * size:.3f}%;{_fill(bar.cause, colours)}"></i>')
    zero = f'<b style="left:{100 * -low / (high - low):.3f}%"></b>'
    return f'<div class="bar" aria-hidden="true">{"".join(found)}{zero}</div>'


def _key(cause: str, colours: Looks) -> str:
    return f'<span class="key" aria-hidden="true" style="{_fill(cause, colours)}"></span>'


def _fill(cause: str, colours: Looks) -> str:
    colour, hatched = colours.get(cause, ("var(--plain)", False))
    if not hatched:
        return f"background:{colour}"
    return f"background:repeating-linear-gradient(45deg,{colour} 0 3px,var(--paper) 3px 5px)"


def _text(words: str) -> str:
    """Words as HTML: escaped, and a figure is not parted from its per cent."""
    return escape(words).replace(" %", "\N{NO-BREAK SPACE}%")
