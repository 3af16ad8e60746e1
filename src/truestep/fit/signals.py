"""SIGINT and SIGTERM while a run is saved: the first one waits for the step, a second one does not."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

STATUS = 130  # of a program that was interrupted


class Interrupted(KeyboardInterrupt, SystemExit):
    """A run that a signal ended: caught as `KeyboardInterrupt`, and where nobody does, the program ends with 130.

    Its sentence has been told by then, so that a traceback would only hide it.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.code = STATUS


class Signals:
    """A context in which SIGINT and SIGTERM are noted in `asked`; afterwards the handlers are as they were.

    Outside the main thread, and for a signal that the program ignores, nothing is changed.
    """

    def __init__(self) -> None:
        self.asked = ""
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                before = signal.getsignal(number)
                if before not in (signal.SIG_IGN, None):  # None: a handler that Python did not set, nor could put back
                    self._before[number] = before
                    signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before.clear()

    def _note(self, number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if self.asked:
            raise Interrupted(f"stopped at once by a second signal ({name}).")
        self.asked = name
