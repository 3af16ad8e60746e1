"""What a notebook shows: runs while they train, and results as HTML; anywidget is loaded by what is live alone.

`ts.fit` shows its run by itself where anywidget is installed (the extra `notebook`); `live` watches any run folder.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from truestep.core.errors import ConfigError

if TYPE_CHECKING:
    from truestep.notebook.widget import Widget

__all__ = ["live"]


def live(what: Any = None) -> Widget:
    """Show a run in a notebook: its curves, how far it is and its best epoch, kept up while it is being written.

    `what` is a run folder, also one that another process writes, or its name under `runs` (or `$TRUESTEP_RUNS`); a
    `Run`; or None, the newest run there. What is returned shows itself; a thread looks
    for what is new until the run has ended.

    Raises:
        ConfigError: without the extra `notebook`, or for a run that has neither a folder nor an epoch.
        DataError: where there is no run, or it cannot be read.
    """
    try:
        from truestep.notebook import following
    except ImportError as error:
        raise ConfigError(
            "live curves need anywidget: pip install 'truestep[notebook]'; without it `truestep board` shows them."
        ) from error
    if what is None:
        return following.newest()
    return following.follow(what) if isinstance(what, str | os.PathLike) else following.of_run(what)
