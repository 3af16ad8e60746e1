"""The table of a study: one record a variant."""

from __future__ import annotations

import csv
import difflib
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from truestep.core.errors import ConfigError
from truestep.fit.history import Record


class Table(Sequence[Record]):
    """A row a variant: its hyper-parameters, `seed`, `train_loss`, `valid_loss`, metrics; `table["lr"]` is a column.

    >>> table = Table([Record({"lr": 0.1, "seed": 0}), Record({"lr": 0.2, "seed": 0})])
    >>> table["lr"], table[1].lr
    ([0.1, 0.2], 0.2)
    """

    def __init__(self, rows: Sequence[Record], columns: Sequence[str] = ()) -> None:
        self._rows = list(rows)
        self._columns = list(self._rows[0]) if self._rows else list(columns)

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self._columns)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            if key not in self._columns:
                near = difflib.get_close_matches(key, self._columns, n=1)
                hint = f"did you mean {near[0]}? " if near else ""
                raise ConfigError(f"the table has no column {key!r}; {hint}it has {', '.join(self._columns)}.")
            return [row[key] for row in self._rows]
        return Table(self._rows[key], self._columns) if isinstance(key, slice) else self._rows[key]

    def __len__(self) -> int:
        return len(self._rows)

    def where(self, **settings: Any) -> Table:
        """The rows in which these columns have these values."""
        for name in settings:
            self[name]
        return Table([row for row in self if all(row[k] == value for k, value in settings.items())], self._columns)

    def to_csv(self) -> str:
        """The table as CSV, a line a variant; a figure that is missing or not finite is written as such."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([row[name] for name in self.columns] for row in self)
        return text.getvalue()

    def to_json(self) -> str:
        """The table as a JSON list of objects; not-a-number is null."""
        return json.dumps([_plain(row) for row in self], allow_nan=False)

    def __repr__(self) -> str:
        shown = [self.columns, *([_short(row[name]) for name in self.columns] for row in self[:20])]
        widths = [max(len(line[k]) for line in shown) for k in range(len(self.columns))]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in shown]
        more = [f"... {len(self)} variants"] if len(self) > 20 else []
        return "\n".join([*lines, *more])

    def _repr_html_(self) -> str:
        from truestep.notebook.sheets import table_page

        return table_page(self)


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """What JSON can say: not-a-number is null, and a value that is neither number, word nor list is its name."""
    return {name: _word(value) for name, value in row.items()}


def _word(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_word(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else getattr(value, "__name__", repr(value))


def _short(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)
