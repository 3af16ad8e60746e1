"""A ledger as tables: rows of words and of shares to draw as bars, the same for text, HTML and a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from truestep.explain import words
from truestep.explain.figures import number, percent, whole
from truestep.explain.ledger import OWN_RULE
from truestep.explain.trail import echoes

if TYPE_CHECKING:
    from truestep.explain.ledger import Account, Ledger
    from truestep.explain.modules import ModuleRecord

# Rows at first sight; the others are folded.
SHOWN = {"accounts": 10, "momentum": 10, "samples": 10, "modules": 16, "cosines": 6}
KEPT = 400  # rows that a sheet holds at most

# Okabe and Ito, "Color Universal Design" (2008).
TERMS = ("#0072B2", "#E69F00", "#009E73", "#F0E442")
OTHERS = {"decay": "#CC79A7", "momentum": "#56B4E9", OWN_RULE: "#56B4E9", "clipping": "#D55E00", "rounding": "#7F7F7F"}


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure to draw as a bar from zero, to the left where it is negative, beside its `text`; `cause` names it."""

    value: float
    text: str
    cause: str = ""


Cell = str | Bar | tuple[Bar, ...]
"""Words, one bar, or the bars of one row that add up, one for each cause."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table of a ledger.

    `heads` of the columns, those in `left` hold words; `rows` of cells, of which `shown` come first and the others are
    folded away; `more` says how many are not shown, or nothing; `words` is the sentence under the table. Of `of` rows
    no more than are here are kept. The axis of the bars reaches at least over `axis`.
    """

    key: str
    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    words: str
    left: frozenset[int] = field(default_factory=lambda: frozenset({0}))
    of: int = 0
    axis: tuple[float, float] = (0.0, 1.0)

    @property
    def shown(self) -> int:
        """How many rows are seen at first sight."""
        most = SHOWN.get(self.key, KEPT)
        return most if len(self.rows) > most + 1 else len(self.rows)  # folding one row would save nothing

    @property
    def more(self) -> str:
        """How many rows come after those that are shown."""
        rest = max(self.of, len(self.rows)) - self.shown
        return f"and {rest:,} more" if rest else ""


def sheets(ledger: Ledger) -> tuple[Sheet, ...]:
    """Every table of a ledger that has something in it, the most telling first."""
    said = words.sentences(ledger)
    found = (
        _causes(ledger, said["causes"]),
        _accounts(ledger, said["accounts"]),
        _momentum(ledger, said["momentum"]),
        _terms(ledger, said["terms"]),
        _cosines(ledger, said["cosines"]),
        _samples(ledger, said["samples"]),
        _modules(ledger, said["modules"]),
    )
    return tuple(sheet for sheet in found if sheet.rows)


def facts(ledger: Ledger) -> tuple[tuple[str, str], ...]:
    """What the step was: its loss, samples, learning rate, gradient norm and rule."""
    out, (before, after) = ledger.out, ledger.clipped
    norm = number(before) if not after < before else f"{number(before)}, clipped to {number(after)}"
    rules = list(dict.fromkeys(ledger.rules.values()))
    said = [
        ("step", ledger.step),
        ("loss", number(out.loss) if out.totals else ""),
        ("samples", whole(out.samples) if out.samples else ""),
        ("learning rate", "" if out.lr is None else f"{out.lr:g}"),
        ("gradient norm", norm),
        ("rule", "; ".join(rules[:3]) + (f"; and {len(rules) - 3} more" if len(rules) > 3 else "")),
    ]
    return tuple((name, value) for name, value in said if value)


def notes(ledger: Ledger) -> tuple[str, ...]:
    """What could not be known, each once."""
    told = dict.fromkeys((*ledger.notes, *ledger.samples.notes))
    return tuple(note for note in told if note != ledger.out.reason)


def _causes(ledger: Ledger, said: str) -> Sheet:
    rows = []
    for cause, share in ledger.shares.items():
        entries = [account.entries[cause] for account in ledger.accounts.values() if cause in account.entries]
        norm = math.hypot(*(float(entry.norm()) for entry in entries))
        rows.append((cause, number(norm), Bar(share, percent(share), cause)))
    heads = ("cause", "norm", "share of the update")
    return Sheet("causes", "What moved the weights", heads, tuple(rows), said)


def _accounts(ledger: Ledger, said: str) -> Sheet:
    accounts = list(ledger.accounts.values())
    title = "Parameters"
    if len(accounts) > SHOWN["accounts"] + 1:
        accounts = sorted(accounts, key=_size, reverse=True)
        title = "Parameters, largest change first"
    rows = tuple(_account(account) for account in accounts[:KEPT])
    heads = ("parameter", "shape", "|change|", "of |weights|", "share of its change")
    return Sheet("accounts", title, heads, rows, said, frozenset({0, 4}), len(accounts))


def _account(account: Account) -> tuple[Cell, ...]:
    ratio = "-" if math.isnan(account.ratio) else f"{number(100 * account.ratio, 3)} %"
    bars = tuple(Bar(share, percent(share), cause) for cause, share in account.shares.items())
    told = tuple(bar for bar in bars if not abs(bar.value) < 0.0005)  # what reads as zero is in the sheet of causes
    return account.name, _shape(account.before.shape), number(_size(account)), ratio, told or "-"


def _momentum(ledger: Ledger, said: str) -> Sheet:
    rows = tuple(
        (str(echo.back), number(echo.norm), Bar(echo.share, percent(echo.share), "momentum"))
        for echo in echoes(ledger.accounts)
    )
    heads = ("steps back", "norm", "share of the momentum")
    return Sheet("momentum", "Where the momentum comes from", heads, rows[:KEPT], said, of=len(rows))


def _terms(ledger: Ledger, said: str) -> Sheet:
    out = ledger.out
    loss, rows = out.loss, []
    known = math.isfinite(loss) and any(map(math.isnan, out.totals.values()))  # of somebody's loop, but not by term
    for name, mean in ({} if known else out.terms).items():
        counted = bool(out.counts[name])
        added = out.weights[name] * mean if counted else 0.0
        share = added / loss if loss else 0.0
        figures = (number(out.totals[name]), whole(out.counts[name]), number(mean) if counted else "-")
        rows.append((name, *figures, f"{out.weights[name]:g}", Bar(share, percent(share), name)))
    heads = ("term", "total", "count", "total / count", "weight", "share of the loss")
    return Sheet("terms", "Loss terms", heads, tuple(rows), said)


def _cosines(ledger: Ledger, said: str) -> Sheet:
    known = sorted(ledger.cosines.items(), key=lambda item: (math.isnan(item[1]), item[1]))
    rows = tuple((a, b, "-" if math.isnan(c) else Bar(c, f"{c:.3f}")) for (a, b), c in known)
    heads = ("gradient of", "and of", "cosine")
    return Sheet("cosines", "Do the terms fight?", heads, rows[:KEPT], said, frozenset({0, 1}), len(rows), (-1.0, 1.0))


def _samples(ledger: Ledger, said: str) -> Sheet:
    samples = ledger.samples
    total = float(samples.losses.sum())
    terms = list(samples.terms) if 1 < len(samples.terms) <= 4 else []
    rows = []
    for place, loss, norm in samples.hardest(KEPT):
        share = loss / total if total else 0.0
        parts = (number(float(samples.terms[name][place])) for name in terms)
        pull = "-" if math.isnan(norm) else number(norm)
        rows.append((whole(place), number(loss), *parts, pull, Bar(share, percent(share))))
    heads = ("sample", "adds to the loss", *terms, "gradient norm", "share of the loss")
    return Sheet("samples", "Samples, hardest first", heads, tuple(rows), said, of=len(samples.losses), axis=(0.0, 0.0))


def _modules(ledger: Ledger, said: str) -> Sheet:
    rows = tuple(_module(record) for record in ledger.modules[:KEPT])
    heads = ("module", "type", "output", "mean", "std", "largest", "gradient", "dead", "saturated")
    return Sheet("modules", "Modules, in forward order", heads, rows, said, frozenset({0, 1}), len(ledger.modules))


def _module(record: ModuleRecord) -> tuple[Cell, ...]:
    figures = (number(figure) for figure in (record.mean, record.std, record.largest))
    gradient = "-" if record.gradient is None else number(record.gradient)
    shares = ("" if share is None else percent(share) for share in (record.dead, record.saturated))
    name = record.name + (f" (call {record.call})" if record.call > 1 else "")
    return name.strip() or "the model", record.type, _shape(record.shape), *figures, gradient, *shares


def _size(account: Account) -> float:
    return float(account.change.norm())


def _shape(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape)) or "one number"


def spans(sheet: Sheet, stacked: bool) -> dict[int, tuple[float, float]]:
    """Column of bars -> the least and the greatest figure on its axis, which has zero on it and is one for all rows.

    Where bars of one cell are `stacked`, those on one side of zero stand behind one another.
    """
    found: dict[int, tuple[float, float]] = {}
    for row in sheet.rows:
        for column, cell in enumerate(row):
            if isinstance(cell, str):
                continue
            values = [bar.value for bar in bars_of(cell) if math.isfinite(bar.value)]
            ends = [sum(v for v in values if v < 0), sum(v for v in values if v > 0)] if stacked else values
            low, high = found.get(column, sheet.axis)
            found[column] = min([low, *ends]), max([high, *ends])
    return {column: (low, high if low < high else 1.0) for column, (low, high) in found.items()}


def bars_of(cell: Cell) -> tuple[Bar, ...]:
    """The bars of a cell, none where it holds words."""
    return (cell,) if isinstance(cell, Bar) else () if isinstance(cell, str) else cell


def looks(causes: Sequence[str]) -> dict[str, tuple[str, bool]]:
    """Cause -> its colour, and whether it is hatched: from the fifth term on, which has the colour of the first."""
    terms = [cause for cause in causes if cause not in OTHERS]
    own = {term: (TERMS[i % len(TERMS)], i >= len(TERMS)) for i, term in enumerate(terms)}
    return {cause: own.get(cause) or (OTHERS[cause], False) for cause in causes}
