"""The scalars of a run that came after those that a reader has seen: one who follows a run reads each row once."""

import os
from itertools import chain

import numpy as np

from truestep.store.rundb import opened

Rows = tuple[np.ndarray, np.ndarray]  # steps and values in the order in which they were recorded, float64 of shape (n,)


def scalars_after(path: str | os.PathLike[str], row: int = 0) -> tuple[int, dict[str, Rows]]:
    """The number of the last row there is, and by name what was recorded after row number `row`; raises `DataError`.

    Rows are only ever added, so their numbers rise. A step that was recorded again comes again.
    """
    with opened(path) as connection:
        connection.execute("BEGIN")  # one moment for all names
        last = connection.execute("SELECT MAX(rowid) FROM scalars").fetchone()[0] or 0
        names = connection.execute("SELECT DISTINCT name FROM scalars WHERE rowid > ?", (row,)).fetchall()
        found = {}
        for (name,) in names:
            rows = connection.execute("SELECT step, value FROM scalars WHERE rowid > ? AND name = ?", (row, name))
            flat = np.fromiter(chain.from_iterable(rows), np.float64)  # not-a-number is NULL, and None becomes it again
            found[str(name)] = (flat[0::2], flat[1::2])
        return last, found
