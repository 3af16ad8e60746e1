"""Watch whatever trains inside a `with` block, change nothing of it, and say what is wrong with it."""

from __future__ import annotations

import contextlib
import linecache
import os
import sys
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

from truestep.check.finding import Finding
from truestep.check.recorder import Recorder
from truestep.check.report import Report
from truestep.check.trace import Trace

_recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()


def _asleep() -> None:
    """In a forked worker nothing is recorded, and its calls of torch take no way through ours."""
    for recorder in _recorders:
        recorder.live = recorder.resting = False
        recorder.lens(False)


if hasattr(os, "register_at_fork"):  # forks are no matter where there are none
    os.register_at_fork(after_in_child=_asleep)


class Stopped(SystemExit):
    """Ends a program after the updates that were asked for: `finally` runs, `except Exception` does not."""


class Watching:
    """Records what runs inside a `with` block; `trace` is the record, complete once the block is left.

    Inside, hooks of torch's and replaced functions tell what they do and do it as ever; afterwards they are as before.

    Args:
        most: stop the program with `Stopped` after so many updates by an optimizer.
        strict: raise failures of the watch itself instead of noting them (for tests).
    """

    def __init__(self, most: int | None = None, strict: bool = False) -> None:
        self._most, self._stack = most, ExitStack()
        self._recorder = Recorder(strict)

    @property
    def trace(self) -> Trace:
        """What was recorded."""
        return self._recorder.trace

    @property
    def recorder(self) -> Recorder:
        """Who records."""
        return self._recorder

    def ended(self, names: dict[str, Any], broken: bool = False) -> None:
        """The program has come to its end, with these global names; `broken` by an exception or by Ctrl-C."""
        self.trace.broken |= broken
        if not self._recorder.resting:
            with self._recorder.looking:
                self._recorder.snapshot("end", names)
                self._recorder.survey()

    def __enter__(self) -> Watching:
        from truestep.check import (
            calls,
            casts,
            children,
            compilers,
            frames,
            gradients,
            loaders,
            mode,
            patches,
            ranks,
            reads,
            schedules,
            site,
            state,
            steps,
        )

        frames.hide(
            calls, casts, children, compilers, gradients, loaders, mode, patches, ranks, reads, schedules, state, steps
        )
        enter, seeing = self._stack.enter_context, mode.Seeing(self._recorder)
        linecache.checkcache()  # findings quote the source as it is now, not as an earlier watch of the session read it
        enter(site.below(_entered()))
        with patches.at_once():
            for each in (
                *gradients.watches(self._recorder, self._stop),
                *ranks.watches(self._recorder),
                *loaders.watches(self._recorder),
                *schedules.watches(self._recorder),
                *state.watches(self._recorder),
                *compilers.watches(self._recorder),
                *children.watches(self._recorder),
                *reads.watches(self._recorder, seeing),
            ):
                enter(each)
        enter(seeing)
        _recorders.add(self._recorder)
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        from truestep.check.frames import prune
        from truestep.check.patches import at_once

        with at_once():
            self._stack.close()
        if error is not None:
            self.trace.broken |= not isinstance(error, SystemExit)
            prune(error)
        self._recorder.finish()
        self._recorder.live = False

    def _stop(self) -> None:
        if self._most is not None and self.trace.updates_made + self._recorder.later >= self._most:
            self.trace.broken = True
            raise Stopped


def _entered() -> FrameType | None:
    """The frame that began to watch."""
    ours, found = {__file__, contextlib.__file__}, sys._getframe(1)
    while found is not None and found.f_code.co_filename in ours:
        found = found.f_back
    return found


@contextmanager
def watch() -> Iterator[Report]:
    """Look for silent training errors in whatever runs inside: `with ts.watch() as report: train(...)`.

    The report is filled when the block is left, also by an exception. The training is not changed: every weight,
    printed digit and random draw is the same with and without it. `print(report)` tells the findings in words,
    `report.findings` holds them, `report.clean` is False where one is an error or a warning.
    """
    report = Report()
    seen = Watching()
    try:
        with seen:
            yield report
    finally:
        report.fill(seen.trace)


def findings(trace: Trace, slugs: Any = None) -> list[Finding]:
    """What the rules find in a record; `slugs` are those to ask (None: all)."""
    from truestep.check.rules import judge

    return judge(trace, slugs)
