"""The table of a study: one record a variant."""

from __future__ import annotations

import csv
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

    def __init__(self, rows: Sequence[Record]) -> None:
        self._rows = list(rows)

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self._rows[0]) if self._rows else []

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            if key not in self.columns:
                raise ConfigError(f"the table has no column {key!r}: it has {', '.join(self.columns)}.")
            return [row[key] for row in self._rows]
        return Table(self._rows[key]) if isinstance(key, slice) else self._rows[key]

    def __len__(self) -> int:
        return len(self._rows)

    def where(self, **settings: Any) -> Table:
        """The rows in which these columns have these values."""
        for name in settings:
            self[name]
        return Table([row for row in self if all(row[name] == value for name, value in settings.items())])

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


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: None if isinstance(each, float) and not math.isfinite(each) else each for key, each in row.items()}


def _short(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)
