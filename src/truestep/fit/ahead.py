"""Compiled steps in a run: whether they are repaid, where their libraries are kept, and several of them a call."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from truestep.core.batch import Batch, take
from truestep.core.compiled import Compiled
from truestep.core.errors import TraceError, TruestepError
from truestep.core.nesting import flat, rebuilt
from truestep.data.batches import TensorSource, order
from truestep.store.atomic import make_folder, write_bytes

TIMES = 10
"""Steps a call of a small model."""
SMALL = 2e-4
"""Seconds that a step takes, at the most, for several a call to be worth their compiling."""
TRACING = 1.0
"""Seconds that it takes to write whole steps down and to load what was compiled before."""
compiling = 80.0
"""Seconds that compiling takes on a busy machine; after the first time in this process, what it took."""


def folder() -> Path:
    """Where libraries are kept: beside those of torch's compiler where it was told a place, else with other caches."""
    told = os.environ.get("TORCHINDUCTOR_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(told) / "truestep" / "programs"


def saved(each: float, times: int) -> float:
    """Seconds that compiling is expected to save of a step that takes `each` as programs, before it is measured."""
    return 0.9 * each if times > 1 else 0.2 * each


def prepared(compiled: Compiled, left: float, must: bool) -> bool:
    """Load the library of some steps, or compile it where that is asked for, or repaid by the `left` seconds to save.

    Raises:
        TraceError: where it cannot be compiled, or ends on other numbers.
    """
    global compiling
    path = folder() / f"{compiled.key}.so"
    if path.exists():
        with suppress(TraceError):  # a damaged one is made anew, where that is worth while
            compiled.load(str(path))
            return True
    if not must and left < compiling:
        return False
    began = time.perf_counter()
    made = compiled.compile()
    compiling = time.perf_counter() - began
    with suppress(TruestepError, OSError):  # a folder that cannot be written to costs the next run its time, not this
        make_folder(path.parent)
        write_bytes(path, Path(made).read_bytes())
        made = str(path)
    compiled.load(made)
    return True


def blocks(source: TensorSource, epoch: int, start: int, times: int) -> Iterator[tuple[Any, Batch | None]]:
    """The batches of an epoch from number `start` on, `times` at once and stacked: `(stacked, None)`.

    What is left over in the end, a ragged batch among it, comes one by one: `(None, batch)`.
    """
    size, samples = source.batch_size, source.samples
    positions = None if source.seed is None else order(samples, source.seed, epoch).to(source.home)
    whole = start + (samples // size - start) // times * times
    most = max(1, source.block // (size * times)) * times
    for at in range(start, whole, most):
        rows = slice(at * size, min(at + most, whole) * size)
        gathered = take(source.data, rows if positions is None else positions[rows])
        leaves, nesting = flat(gathered)
        for several in zip(*(leaf.unflatten(0, (-1, times, size)).unbind() for leaf in leaves), strict=True):
            yield rebuilt(nesting, several), None
    for at in range(whole * size, samples, size):
        rows = slice(at, min(at + size, samples))
        yield None, take(source.data, rows if positions is None else positions[rows])
