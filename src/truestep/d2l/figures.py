"""Figures as the book draws them; matplotlib is loaded when the first is drawn."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import count, cycle
from pathlib import Path
from typing import Any

import numpy as np
import torch

import truestep as ts
from truestep.d2l.counting import number

Limits = Sequence[float] | None
FMTS = ("-", "m--", "g-.", "r:")
_numbers = count(1)  # of the figures of this program


def use_svg_display() -> None:
    """Let a notebook show figures as SVG; anywhere else it does nothing."""
    ts.plot.svg_in_notebook()


def set_figsize(figsize: tuple[float, float] = (3.5, 2.5)) -> None:
    """The size in inches of the figures to come."""
    use_svg_display()
    ts.plot.pyplot().rcParams["figure.figsize"] = figsize


def set_axes(
    axes: Any,
    xlabel: str | None,
    ylabel: str | None,
    xlim: Limits,
    ylim: Limits,
    xscale: str,
    yscale: str,
    legend: Sequence[str] | None,
) -> None:
    """Labels, limits, scales, legend and grid of `axes`; limits that are None, or leave no room, follow the data."""
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.set_xscale(xscale)
    axes.set_yscale(yscale)
    for limits, limit in ((xlim, axes.set_xlim), (ylim, axes.set_ylim)):
        if limits is not None and limits[0] != limits[1]:
            limit(limits)
    if legend:
        axes.legend(legend)
    axes.grid(True)


def plot(
    X: Any,
    Y: Any = None,
    xlabel: str | None = None,
    ylabel: str | None = None,
    legend: Sequence[str] | None = None,
    xlim: Limits = None,
    ylim: Limits = None,
    xscale: str = "linear",
    yscale: str = "linear",
    fmts: Sequence[str] = FMTS,
    figsize: tuple[float, float] = (3.5, 2.5),
    axes: Any = None,
) -> None:
    """Lines through points: `plot(x, y)`, `plot(x, [y1, y2])`, or `plot(y)` over 0, 1, 2 and so on.

    `X` and `Y` are one curve or several, as lists, arrays or tensors. The styles `fmts` start again where there are
    more curves. Raises `ShapeError` where a curve has not as many x as y.
    """
    set_figsize(figsize)
    axes = ts.plot.pyplot().gca() if axes is None else axes
    curves = [(y,) for y in _curves(X)] if Y is None else _paired(_curves(X), _curves(Y))
    axes.cla()
    for curve, fmt in zip(curves, cycle(fmts), strict=False):
        axes.plot(*curve, fmt)
    set_axes(axes, xlabel, ylabel, xlim, ylim, xscale, yscale, legend)


def _curves(given: Any) -> list[np.ndarray]:
    """One curve or several."""
    if hasattr(given, "ndim"):
        flat = given.ndim == 1
    else:
        flat = not any(getattr(one, "ndim", 0) or isinstance(one, list | tuple) for one in given)
    return [_array(one) for one in ([given] if flat else given)]


def _array(values: Any) -> np.ndarray:
    if isinstance(values, torch.Tensor):
        return values.detach().cpu().numpy()
    return np.asarray([number(one) for one in values] if isinstance(values, list | tuple) else values)


def _paired(xs: list[np.ndarray], ys: list[np.ndarray]) -> list[tuple[np.ndarray, ...]]:
    xs = xs * len(ys) if len(xs) == 1 else xs
    if len(xs) != len(ys):
        raise ts.ShapeError(f"plot got {len(xs)} curves of x and {len(ys)} of y: give one x for all, or one for each.")
    pairs = list(zip(xs, ys, strict=True))
    for place, (x, y) in enumerate(pairs, 1):
        if len(x) != len(y):
            raise ts.ShapeError(f"curve {place} has {len(x)} x and {len(y)} y: give equally many.")
    return pairs


def show_images(
    imgs: Any, num_rows: int, num_cols: int, titles: Sequence[str] | None = None, scale: float = 1.5
) -> np.ndarray:
    """Images in rows and columns, `scale` inches each, with a title each; returns their axes.

    Images are tensors or arrays (H, W), (1, H, W), (3, H, W) or (H, W, 3), or pictures of PIL.
    """
    size = (num_cols * scale, num_rows * scale)
    _, grid = ts.plot.pyplot().subplots(num_rows, num_cols, figsize=size, squeeze=False, layout="constrained")
    axes = grid.flatten()
    for one in axes:
        one.set_axis_off()
    for place, (one, image) in enumerate(zip(axes, imgs, strict=False)):
        one.imshow(_picture(image))
        if titles is not None and place < len(titles):
            one.set_title(titles[place], parse_math=False)
    return axes


def _picture(image: Any) -> Any:
    if isinstance(image, torch.Tensor):
        image = image.detach().cpu().numpy()
    if not isinstance(image, np.ndarray) or image.ndim != 3:
        return image
    if image.shape[0] == 1:
        return image[0]
    return image.transpose(1, 2, 0) if image.shape[0] == 3 and image.shape[2] != 3 else image


class Animator:
    """Curves that are drawn while a network trains: `animator.add(epoch, (train_loss, train_acc, test_acc))`.

    In a notebook one output is updated in place. Elsewhere the figure is drawn to a file, named after the program:
    `softmax-animator-1.png`, say. A drawing costs the same however many points there are, and the end is always drawn.

    Args:
        xlabel, ylabel, legend, xlim, ylim, xscale, yscale: as in `set_axes`.
        fmts: the style of each curve; they start again where there are more.
        nrows, ncols: panels; `add` draws in the first, `animator.axes[k]` are matplotlib's own.
        figsize: inches.
        file: where the figure is drawn outside of a notebook, in place of the name above.
    """

    def __init__(
        self,
        xlabel: str | None = None,
        ylabel: str | None = None,
        legend: Sequence[str] | None = None,
        xlim: Limits = None,
        ylim: Limits = None,
        xscale: str = "linear",
        yscale: str = "linear",
        fmts: Sequence[str] = FMTS,
        nrows: int = 1,
        ncols: int = 1,
        figsize: tuple[float, float] = (3.5, 2.5),
        *,
        file: str | Path | None = None,
    ) -> None:
        self._live = ts.plot.live(figsize, nrows, ncols, file or _file(), lambda text: print(text, file=sys.stderr))
        self.fig, self.axes, self.fmts = self._live.figure, self._live.axes, fmts
        self.X: list[list[float]] = []
        self.Y: list[list[float]] = []
        self._styles = cycle(fmts)
        self._traces: list[Any] = []
        self.config_axes = lambda: set_axes(self.axes[0], xlabel, ylabel, xlim, ylim, xscale, yscale, legend)

    def add(self, x: Any, y: Any) -> None:
        """Add a point to each curve: `y` is one number or one a curve, `x` one for all or one a curve; None adds none.

        Raises `ShapeError` where there are not as many of one as of the other.
        """
        ys = list(y) if hasattr(y, "__len__") else [y]
        xs = list(x) if hasattr(x, "__len__") else [x] * len(ys)
        if len(xs) != len(ys):
            raise ts.ShapeError(f"add got {len(xs)} x and {len(ys)} y: give one x for all, or one for each.")
        while len(self._traces) < len(ys):
            self._traces.append(self._live.trace(next(self._styles)))
            self.X.append([])
            self.Y.append([])
            if len(self._traces) == len(ys):
                self.config_axes()
        for k, (a, b) in enumerate(zip(xs, ys, strict=True)):
            if a is not None and b is not None:
                self._put(k, number(a), number(b))
        self._live.refresh()

    def _put(self, k: int, x: float, y: float) -> None:
        self.X[k].append(x)
        self.Y[k].append(y)
        self._traces[k].add(x, y)

    def draw(self) -> None:
        """Draw what was added, now; at the end of the cell or the program that happens by itself."""
        self._live.draw()


def _file() -> str:
    """Named after the program, and numbered; python -c and a prompt have no name."""
    program = Path(sys.argv[0]).stem.strip("_") if sys.argv else ""
    named = f"{program}-" if program and not program.startswith("-") else ""
    return f"{named}animator-{next(_numbers)}.png"
