"""Standard input that can be read once more: by a script that is run again."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class Stdin:
    """What a script reads from standard input, for the next run of it.

    A file is read again from where it stood. What comes through a pipe is kept as it is read from `sys.stdin`, no
    sooner. A terminal is asked again.
    """

    def __init__(self) -> None:
        self._kept: list[bytes] = []
        self._kind, self._start = _kind()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Inside, what is read through a pipe is kept."""
        was = sys.stdin
        if self._kind != "pipe" or not isinstance(was, io.TextIOWrapper):
            yield
            return
        kept = io.BufferedReader(_Kept(was.fileno(), self._kept))
        sys.stdin = io.TextIOWrapper(kept, encoding=was.encoding, errors=was.errors, line_buffering=was.line_buffering)
        try:
            yield
        finally:
            sys.stdin = was

    def again(self) -> tuple[int | None, bytes | None]:
        """What to hand to a process: its `stdin`, and what is written to it."""
        if self._kind == "pipe":
            return subprocess.PIPE, b"".join(self._kept)
        if self._kind == "file":
            os.lseek(0, self._start, os.SEEK_SET)
        return (None, None) if self._kind else (subprocess.DEVNULL, None)


class _Kept(io.FileIO):
    """Standard input that keeps what is read from it."""

    def __init__(self, number: int, kept: list[bytes]) -> None:
        super().__init__(number, "rb", closefd=False)
        self._kept = kept
        self.name = "<stdin>"

    def readinto(self, buffer: object, /) -> int | None:
        count = super().readinto(buffer)  # type: ignore[arg-type]
        if count:
            self._kept.append(bytes(memoryview(buffer)[:count]))  # type: ignore[arg-type]
        return count


def _kind() -> tuple[str, int]:
    try:
        mode = os.fstat(0).st_mode
        if stat.S_ISREG(mode):
            return "file", os.lseek(0, 0, os.SEEK_CUR)
        return ("terminal" if os.isatty(0) else "pipe" if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else "other"), 0
    except OSError:
        return "", 0  # closed
