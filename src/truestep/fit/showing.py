"""Where a person looks while a run trains: a live picture in a notebook, lines on stderr elsewhere."""

from __future__ import annotations

import sys
from typing import Any

from truestep.core.errors import ConfigError
from truestep.fit.events import Observer
from truestep.fit.progress import Progress

LINES = "lines"


def refuse_odd(progress: Any, observers: Any) -> None:
    """Refuse settings of who sees a run that are none.

    Raises:
        ConfigError: for a word other than "lines", and for one observer that is not in a list.
    """
    if callable(observers):
        raise ConfigError("observers is a list of functions that see the events of the run: observers=[...].")
    if isinstance(progress, str) and progress != LINES:
        raise ConfigError(f"progress knows True, False and 'lines', and {progress!r} is none of them.")


def shown(progress: bool | str) -> Observer:
    """Who shows a run: in a notebook that can show widgets a live picture, unless lines are asked for."""
    shell = notebook_shell() if progress and progress != LINES else None
    if shell is not None:
        try:
            from truestep.notebook.training import training

            return training(shell)
        except Exception:  # noqa: BLE001 - anywidget is not there, or does not work here: that must not cost a run
            pass
    return Progress(bool(progress))


def notebook_shell() -> Any:
    """The shell of the notebook that this runs in, else None; IPython is asked only where it is loaded already."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell if getattr(shell, "kernel", None) is not None else None
