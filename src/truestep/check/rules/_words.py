"""Words that findings are told in."""

from __future__ import annotations


def plural(count: int, one: str, many: str = "") -> str:
    """A count with its noun: "1 pass", "2 passes"; the plural is the noun with an s where none is given."""
    return f"{count} {one if count == 1 else many or one + 's'}"
