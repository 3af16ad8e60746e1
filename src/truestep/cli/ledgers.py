"""A ledger on the terminal, its bars in the colours of their causes, and as one JSON object."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.text import Text

import truestep as ts
from truestep.cli.show import show_table
from truestep.explain.sheets import Bar, Sheet, bars_of, looks, notes, sheets
from truestep.explain.sheets import facts as heads_of
from truestep.explain.text import rows
from truestep.explain.trail import echoes
from truestep.explain.words import sentences

BLOCKS = re.compile("[█▌▐]+")
SPARE = ("shape", "of |weights|", "output", "std", "largest")  # columns that a narrow terminal goes without
SAMPLES = 100  # the hardest ones, in JSON


def show(ledger: ts.Ledger) -> None:
    """The whole ledger for a person, on stdout."""
    for name, value in heads_of(ledger):
        print(f"{name:<14} {value}")
    for sheet in sheets(ledger):
        print(f"\n{sheet.title}")
        _table(sheet, {cause: colour for cause, (colour, _) in looks(ledger.causes).items()})
        for line in (sheet.more, sheet.words):
            if line:
                print(line)
    for note in notes(ledger):
        print(f"\nnote: {note}")


def _table(sheet: Sheet, colours: Mapping[str, str]) -> None:
    drawn = [
        [_coloured(words, cell, colours) for words, cell in zip(line, row, strict=True)]
        for line, row in zip(rows(sheet), sheet.rows, strict=False)
    ]
    bars = {place for row in sheet.rows for place, cell in enumerate(row) if not isinstance(cell, str)}
    left = [head for place, head in enumerate(sheet.heads) if place in sheet.left or place in bars]
    show_table(sheet.heads, drawn, words=left, spare=[head for head in SPARE if head in sheet.heads])


def _coloured(words: str, cell: str | Bar | tuple[Bar, ...], colours: Mapping[str, str]) -> Text:
    """The words of a cell, the blocks of each bar in the colour of its cause."""
    text, at = Text(words), 0
    lines = words.split("\n")
    for line, bar in zip(lines, bars_of(cell), strict=False):
        for found in BLOCKS.finditer(line):
            text.stylize(colours.get(bar.cause, ""), at + found.start(), at + found.end())
        at += len(line) + 1
    return text


def facts(ledger: ts.Ledger) -> dict[str, Any]:
    """A ledger in plain numbers; of every tensor its norm, its sum over elements, and its share of the change."""
    out = ledger.out
    return {
        "update": ledger.step,
        "words": ledger.words,
        "loss": out.loss,
        "samples": out.samples or None,
        "lr": out.lr,
        "grad_norm": ledger.clipped[0],
        "clipped_norm": ledger.clipped[1],
        "skipped": out.skipped,
        "causes": [{"cause": c, "share": share, "norm": _norm(ledger, c)} for c, share in ledger.shares.items()],
        "momentum": [asdict(echo) for echo in echoes(ledger.accounts)],
        "parameters": [_account(account, ledger.rules[name]) for name, account in ledger.accounts.items()],
        "terms": [
            {"term": name, "total": total, "count": out.counts[name], "weight": out.weights[name]}
            for name, total in out.totals.items()
        ],
        "cosines": [{"terms": pair, "cosine": cosine} for pair, cosine in ledger.cosines.items()],
        "hardest": [
            {"sample": place, "loss": loss, "grad_norm": norm} for place, loss, norm in ledger.samples.hardest(SAMPLES)
        ],
        "modules": [asdict(record) for record in ledger.modules],
        "sentences": sentences(ledger),
        "notes": notes(ledger),
    }


def _account(account: ts.Account, rule: str) -> dict[str, Any]:
    shares = account.shares
    return {
        "name": account.name,
        "shape": list(account.change.shape),
        "rule": rule,
        "change": float(account.change.norm()),
        "weights": float(account.before.norm()),
        "sum": float(account.change.sum()),
        "entries": {
            cause: {"norm": float(entry.norm()), "sum": float(entry.sum()), "share": shares[cause]}
            for cause, entry in account.entries.items()
        },
        "momentum_by_step": {back: float(part.norm()) for back, part in account.momentum_by_step.items()},
    }


def _norm(ledger: ts.Ledger, cause: str) -> float:
    return math.hypot(*(float(a.entries[cause].norm()) for a in ledger.accounts.values() if cause in a.entries))
