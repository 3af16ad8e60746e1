"""What a data set stores, written into whenever a batch is made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from truestep.check.events import LoaderMade, LoaderStart
from truestep.check.site import Site
from truestep.check.trace import Trace

OFTEN = 2


def rewritten(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """The data sets whose stored numbers the first batch changed once more, in several passes."""
    base: dict[int, int] = {made.loader: made.base for made in trace.of(LoaderMade)}
    passes = Counter(base.get(start.loader, start.loader) for start in trace.of(LoaderStart))
    wrote: dict[tuple[int, str], list[tuple[int, Site]]] = {}
    for op in trace.ops("fetch wrote"):
        loader, run, names = op.args
        assert isinstance(loader, int)
        for name in names:
            wrote.setdefault((base.get(loader, loader), name), []).append((run, op.site))
    for (owner, name), told in wrote.items():
        runs = {run for run, _ in told}
        if len(runs) >= OFTEN:
            yield (
                told[0][1],
                f"making a batch changes what the data set stores in {name.partition('@')[0]}",
                f"in {len(runs)} of {passes[owner]} passes the first batch changed rows of {name.partition('@')[0]} "
                "that had been changed before",
            )
            return
