"""Run a function, a script's main or a notebook's cells under watch, and judge it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from truestep.check.report import Report
from truestep.check.watch import Stopped, Watching

__all__ = ["Report", "Stopped", "Watching", "checked"]


def checked(program: Callable[[], Any], steps: int | None = None) -> tuple[Report, Any]:
    """Run `program()` under watch, for at most `steps` updates: what was found, and what it returned.

    Exceptions of the program pass through, `Stopped` excepted, for which None is returned.
    """
    seen, report, out = Watching(steps), Report(), None
    with seen:
        try:
            out = program()
        except Stopped:
            out = None
        except SystemExit as left:
            out = left.code
    report.fill(seen.trace)
    return report, out
