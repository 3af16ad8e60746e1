"""The libraries of compiled steps: those that are kept on the disk, and those that are being built."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from truestep.core.compiled import Compiled
from truestep.core.errors import TraceError, TruestepError
from truestep.fit.background import Build, kept, spare
from truestep.fit.worth import Worth
from truestep.store.atomic import remove

LOOK, JUDGED = 0.05, 2.0
"""Seconds between two looks whether one has been built, and whether that is still worth while."""


Steps = Callable[[], tuple[float, float]]
"""Says how many steps of a shape have been taken, and how many are left."""


@dataclass(slots=True)
class _Pending:
    build: Build
    compiled: Compiled
    worth: Worth
    steps: Steps
    began: float
    judged: float
    ready: Callable[[Compiled], None]

    def repaid(self) -> bool:
        """Whether it is worth while to go on, at the pace at which it has gone on so far."""
        taken, left = self.steps()
        return self.worth.built(left, self.build.used(), taken - self.began)


class Libraries:
    """Gets a library, one at a time.

    Args:
        wait: for what is built, whatever that takes; else it is built where that is repaid, while the run goes on.
        say: hears why there is none.
    """

    def __init__(self, wait: bool, say: Callable[[str], None]) -> None:
        self._wait, self._say = wait, say
        self._pending: _Pending | None = None
        self._next = 0.0

    @property
    def busy(self) -> bool:
        """Whether one is being built."""
        return self._pending is not None

    def want(self, compiled: Compiled, worth: Worth, steps: Steps, ready: Callable[[Compiled], None]) -> None:
        """Call `ready` with some steps as soon as their library is there, unless those that are left do not repay it.

        Raises:
            TraceError: where no process can be started that builds it.
        """
        path = kept(compiled.plan)
        if path.exists():
            try:
                compiled.load(str(path))
            except TraceError:  # a damaged one is made anew, where that is worth while
                with suppress(TruestepError):
                    remove(path)
            else:
                ready(compiled)
                return
        taken, left = steps()
        if self._wait or worth.built(left):
            build = Build(compiled.plan, aside=not self._wait and spare())
            self._pending = _Pending(build, compiled, worth, steps, taken, time.perf_counter(), ready)
            if self._wait:
                self._finish(self._pending)

    def look(self) -> None:
        """Look whether it has been built, or would come too late at its pace."""
        pending, now = self._pending, time.perf_counter()
        if pending is None or now < self._next:
            return
        self._next = now + LOOK
        if pending.build.ended():
            self._finish(pending)
        elif now >= pending.judged + JUDGED:
            pending.judged = now
            if not pending.repaid():
                self.close()

    def close(self) -> None:
        """Build nothing any more."""
        if self._pending is not None:
            self._pending.build.stop()
            self._pending = None

    def _finish(self, pending: _Pending) -> None:
        try:
            path = pending.build.library()
            if self._wait or pending.worth.opened(pending.steps()[1]):
                pending.compiled.load(path)
                pending.ready(pending.compiled)
        except TraceError as error:
            self._say(str(error))
        finally:
            self.close()
