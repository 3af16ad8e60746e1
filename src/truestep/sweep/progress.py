"""What a person sees while a study runs: on a terminal one line that moves, in a pipe one line a tenth."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

PERIOD = 0.1  # seconds between two refreshes


class Progress:
    """Variants and epochs done, and the time that is left, on a stream."""

    def __init__(self, show: bool, stream: TextIO | None) -> None:
        self._stream, self.show = stream, show and stream is not None
        self._live = self.show and stream is not None and stream.isatty()
        self._whole, self._done, self._epochs = 1, 0.0, 1
        self._began = self._next = time.monotonic()
        self._width = 0

    def begin(self, variants: int, epochs: int) -> None:
        """A study of so many variants begins."""
        self._whole, self._epochs, self._began = max(1, variants), epochs, time.monotonic()

    def chunk(self, variants: int) -> Callable[[int], None]:
        """What a chunk tells after each epoch."""
        before = self._done

        def told(epoch: int) -> None:
            self._done = before + variants * epoch / self._epochs
            self._refresh()

        return told

    def line(self, text: str) -> None:
        """A line that stays."""
        if self._stream is not None and (self.show or text.startswith("note: ")):
            self._clear()
            self._stream.write(text + "\n")
            self._stream.flush()

    def end(self) -> None:
        """Take the moving line away."""
        self._clear()

    def _refresh(self) -> None:
        now = time.monotonic()
        if not self._live or now < self._next or self._stream is None:
            return
        self._next = now + PERIOD
        share = self._done / self._whole
        left = (now - self._began) * (1 - share) / max(share, 1e-9)
        text = f"{share:4.0%} of {self._whole} variants, {left:,.0f} s left"
        self._stream.write("\r" + text.ljust(self._width))
        self._stream.flush()
        self._width = len(text)

    def _clear(self) -> None:
        if self._width and self._stream is not None:
            self._stream.write("\r" + " " * self._width + "\r")
            self._width = 0
