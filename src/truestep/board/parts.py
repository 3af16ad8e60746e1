"""The parts of the board's pages; whatever a name, a setting or an event holds is escaped here."""

import math
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any
from urllib.parse import quote

import numpy as np

from truestep.board.curves import number, thinned
from truestep.cli.show import figure

_WIDE, _HIGH, _EDGE = 120.0, 26.0, 3.0  # a sparkline, in units of its picture
_SPARK = 60  # points
_DECADES = 100.0  # a loss that spans more is drawn on a log axis, as in all figures
MARKS = {"running": "●", "finished": "✓", "interrupted": "‖"}
FAILED = "✕"


def page(title: str, body: str, script: str = "") -> str:
    """A whole page; `script` is the file in static/ that brings it to life."""
    live = f'<script type="module" src="/static/{script}"></script>' if script else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{escape(title)}</title>'
        '<link rel="icon" href="/static/icon.svg"><link rel="stylesheet" href="/static/page.css">'
        '<link rel="stylesheet" href="/static/parts.css">'
        f'<link rel="stylesheet" href="/static/board.css">{live}</head>\n<body>\n'
        '<header><a href="/">truestep board</a></header>\n<p id="said" role="status"></p>\n'
        f"<main>\n{body}\n</main></body></html>\n"
    )


def message(title: str, sentence: str) -> str:
    """A page that says one thing."""
    return page(title, f'<h1>{escape(title)}</h1>\n<p class="told">{escape(sentence)}</p>')


def status(text: str) -> str:
    """How a run stands: a sign and its words."""
    kind, sign = looks(text)
    return (
        f'<span class="status {kind}" title="{escape(text)}"><i aria-hidden="true">{sign}</i> '
        f"<span>{escape(text)}</span></span>"
    )


def looks(text: str) -> tuple[str, str]:
    """The kind of a status, and its sign."""
    kind = text if text in MARKS else "failed" if text.startswith("failed") else "other"
    return kind, MARKS.get(text, FAILED if kind == "failed" else "·")


def moment(iso: str) -> str:
    """A time in the zone of this machine."""
    return f'<time datetime="{escape(iso)}">{datetime.fromisoformat(iso).astimezone():%Y-%m-%d %H:%M}</time>'


def span(seconds: float) -> str:
    """A span of time, in the two units that matter."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    return f"{minutes} min {int(seconds % 60)} s" if hours == 0 else f"{hours:,} h {minutes % 60} min"


def address(name: str) -> str:
    """A name as a part of an address; that of a folder may be no text."""
    return quote(os.fsencode(name), safe="")


def many(count: int, word: str) -> str:
    """How many there are, as in "1 run" and "2 runs"."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def link(kind: str, name: str, words: str = "") -> str:
    """A link to a run or a study."""
    return f'<a href="/{kind}/{address(name)}">{escape(words or name)}</a>'


def written(name: str, value: Any) -> str:
    """A figure, setting or anything else that a record holds."""
    if isinstance(value, float):
        return escape(figure(name, value))
    return "–" if value is None else escape(str(value))


def table(heads: Mapping[str, str], rows: Sequence[tuple[str, Sequence[str]]], caption: str, live: str = "") -> str:
    """A table: head -> class of its column, and rows of a key and cells that are HTML already.

    What has a name in `live` is kept as it is now, row by row.
    """
    named = f' data-live="{escape(live)}"' if live else ""
    top = "".join(f'<th scope="col" class="{kind}">{escape(head)}</th>' for head, kind in heads.items())
    columns = list(heads.items())
    body = [
        f'<tr data-key="{escape(key)}">'
        + "".join(
            f'<td class="{kind}" data-head="{escape(head)}">{cell}</td>'
            for (head, kind), cell in zip(columns, cells, strict=True)
        )
        + "</tr>"
        for key, cells in rows
    ]
    return (
        f'<div class="wide"{named}><table><caption>{escape(caption)}</caption>\n'
        f"<thead><tr>{top}</tr></thead>\n<tbody>\n" + "\n".join(body) + "\n</tbody></table></div>"
    )


def pairs(found: Mapping[str, str], live: str) -> str:
    """Names and what they stand for; the latter is HTML already."""
    inner = "".join(f"<div><dt>{escape(name)}</dt><dd>{value}</dd></div>" for name, value in found.items())
    return f'<dl data-live="{live}">{inner}</dl>'


def sparkline(losses: Mapping[str, Sequence[Any]]) -> str:
    """The losses by epoch as a small picture; nothing where there are fewer than two."""
    curves = {side: _numbers(values) for side, values in losses.items()}
    finite = [value for values in curves.values() for value in values[np.isfinite(values)].tolist()]
    longest = max(len(values) for values in curves.values())
    if longest < 2 or len(finite) < 2:
        return ""
    low, high = min(finite), max(finite)
    log = low > 0 and high > _DECADES * low
    paths, words = [], []
    for side, values in curves.items():
        own = values[np.isfinite(values)]
        if len(own):
            paths.append(f'<path class="{side}" d="{_path(values, low, high, log, longest)}"/>')
            words.append(f"{side} loss from {own[0]:.3g} to {own[-1]:.3g}")
    return (
        f'<svg class="spark" viewBox="0 0 {_WIDE:g} {_HIGH:g}" role="img" aria-label="{", ".join(words)}">'
        f"{''.join(paths)}</svg>"
    )


def _numbers(values: Sequence[Any]) -> np.ndarray:
    return np.array([number(value) for value in values], float)


def _path(values: np.ndarray, low: float, high: float, log: bool, longest: int) -> str:
    """The lines of one curve; it breaks off where there is no number."""
    bottom, top = (math.log(low), math.log(high)) if log else (low, high)
    found, pen = [], "M"
    for place in thinned(values, _SPARK).tolist():
        value = float(values[place])
        if not math.isfinite(value):
            pen = "M"
            continue
        share = ((math.log(value) if log else value) - bottom) / ((top - bottom) or 1.0)
        x = _EDGE + place / (longest - 1) * (_WIDE - 2 * _EDGE)
        y = _HIGH - _EDGE - share * (_HIGH - 2 * _EDGE)
        found.append(f"{pen}{x:.1f} {y:.1f}")
        pen = "L"
    return "".join(found)
