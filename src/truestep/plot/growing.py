"""A figure that grows while something runs: what `truestep.plot.live` makes."""

from __future__ import annotations

import atexit
import base64
import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from truestep.fit.showing import notebook_shell
from truestep.plot.buckets import Buckets
from truestep.plot.style import NotebookFigure, render
from truestep.store.atomic import StoreError, make_folder, write_bytes

PATIENCE = 9  # seconds of work for each second of drawing


class Trace:
    """A line to which points are added one by one, at a cost that does not grow with their number."""

    def __init__(self, line: Line2D) -> None:
        self.line, self._buckets = line, Buckets()
        self._marker: Any = line.get_marker()

    @property
    def points(self) -> int:
        """How many were added."""
        return self._buckets.points

    def add(self, x: float, y: float) -> None:
        """Add one point; a value that is not finite leaves a gap."""
        self._buckets.add(x, y)

    def show(self) -> None:
        """Hand the line its points; one that stands alone gets a mark, since no line would show it."""
        drawn = self._buckets.drawn()
        self.line.set_data([x for _, x, _ in drawn], [y for _, _, y in drawn])
        self.line.set_marker("o" if len(drawn) == 1 else self._marker)


class Live:
    """See `truestep.plot.live`; `figure` and `axes` are matplotlib's own."""

    def __init__(
        self,
        size: tuple[float, float],
        rows: int,
        columns: int,
        path: Path | None,
        say: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.figure = NotebookFigure(*size)
        self.axes: list[Axes] = list(self.figure.subplots(rows, columns, squeeze=False).flat)
        self.path, self._say, self._clock = path, say, clock
        self.drawings = 0
        self._traces: list[Trace] = []
        self._name = uuid4().hex  # by which a notebook knows the output to update
        self._quiet_until = -math.inf
        self._waiting = False

    def trace(self, style: str = "-", axes: Axes | None = None) -> Trace:
        """A new line without points, in a style of matplotlib such as "m--"."""
        (line,) = (axes or self.axes[0]).plot([], [], style)
        self._traces.append(Trace(line))
        return self._traces[-1]

    def refresh(self) -> None:
        """Draw what was added, now or soon: drawing takes at most a tenth of the time, and the end is always drawn."""
        if self._clock() >= self._quiet_until:
            self.draw()
        elif not self._waiting:
            self._waiting = True
            _end()[0](self._last)

    def draw(self) -> None:
        """Draw what was added, now."""
        start = self._clock()
        for trace in self._traces:
            trace.show()
        for axes in self.axes:
            axes.relim()
            axes.autoscale_view()
        shell = notebook_shell()
        if shell is not None:
            self._publish(shell)
        elif self.path is not None:
            self._write(self.path)
        self.drawings += 1
        end = self._clock()
        self._quiet_until = end + PATIENCE * (end - start)

    def _publish(self, shell: Any) -> None:
        width, height = self.figure.get_size_inches() * 100
        image = base64.b64encode(render(self.figure, "png", dpi=200)).decode("ascii")
        shell.display_pub.publish(
            data={"image/png": image, "text/plain": repr(self.figure)},
            metadata={"image/png": {"width": int(width), "height": int(height)}},
            transient={"display_id": self._name},
            update=self.drawings > 0,
        )

    def _write(self, path: Path) -> None:
        try:
            make_folder(path.parent)
            write_bytes(path, render(self.figure, "png", dpi=150))
        except StoreError as failure:  # a figure must not cost the training
            self.path = None
            self._say(f"the figure is not drawn: {failure}")
            return
        if not self.drawings:
            self._say(f"the figure is drawn to {path}")

    def _last(self, *_: Any) -> None:
        _end()[1](self._last)
        self._waiting = False
        self.draw()


def _end() -> tuple[Callable[..., object], Callable[..., object]]:
    """How to have something called when the cell of the notebook is over, or the program, and how to take it back."""
    shell = notebook_shell()
    if shell is None:
        return atexit.register, atexit.unregister
    return partial(shell.events.register, "post_run_cell"), partial(shell.events.unregister, "post_run_cell")
