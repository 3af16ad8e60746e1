"""Learning curves: what `truestep.plot.curves` draws."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from truestep.core.errors import ConfigError, DataError
from truestep.plot.style import (
    BEST,
    BLACK,
    GREY,
    LABEL_POINTS,
    TICK_POINTS,
    TRAIN,
    VALID,
    NotebookFigure,
    dress,
    put_title,
)

_UNITS = {"loss": "loss (total / count)", "accuracy": "accuracy (fraction correct)"}
SIDES = {"train": ("training", TRAIN), "valid": ("validation", VALID)}
_COLUMNS = 3
_PANEL = (4.4, 3.3)  # inches
_MARKS = 25  # more marks than this on one line would hide it

Panel = dict[str, list[float]]


def draw_curves(history: Sequence[Mapping[str, Any]], title: str | None, best: int | None) -> Figure:
    """See `truestep.plot.curves`."""
    panels = _panels(history)
    epochs = [int(record.get("epoch", number)) for number, record in enumerate(history, 1)]
    best = _best(epochs, panels.get("loss", {}).get("valid"), best)
    rows = math.ceil(len(panels) / _COLUMNS)
    columns = math.ceil(len(panels) / rows)
    width, height = _PANEL[0] * columns, _PANEL[1] * rows + 0.5
    figure = NotebookFigure(width, height)
    for place, (metric, sides) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(rows, columns, place)
        _draw_panel(axes, epochs, sides, best)
        if metric == "loss":
            _scale(axes, sides)
        dress(axes, "epoch", _UNITS.get(metric, metric.replace("_", " ")))
    _explain(figure, {side for sides in panels.values() for side in sides}, best)
    if title:
        put_title(figure, title, width)
    return figure


def _panels(history: Sequence[Mapping[str, Any]]) -> dict[str, Panel]:
    """Metric -> side -> one number an epoch, the loss first; a metric that no epoch has is no panel."""
    found: dict[str, Panel] = {}
    for key in dict.fromkeys(key for record in history for key in record):
        side, _, metric = key.partition("_")
        values = [record.get(key) for record in history]
        if side in SIDES and metric and any(value is not None for value in values):
            found.setdefault(metric, {})[side] = [_number(value) for value in values]
    if not found:
        raise DataError("there is nothing to draw: the history has no epoch with a train_… or valid_… figure")
    return dict(sorted(found.items(), key=lambda item: item[0] != "loss"))


def _number(value: Any) -> float:
    """The value, or the not-a-number that leaves a gap in a line."""
    try:
        number = float(value)
    except (TypeError, ValueError, RuntimeError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def _best(epochs: list[int], losses: list[float] | None, best: int | None) -> int | None:
    if best is not None:
        if best not in epochs:
            raise ConfigError(f"best={best} is not an epoch of this history, which has {epochs[0]} to {epochs[-1]}")
        return best
    known = [(loss, epoch) for epoch, loss in zip(epochs, losses or [], strict=False) if not math.isnan(loss)]
    return min(known)[1] if len(known) > 1 else None


def _draw_panel(axes: Axes, epochs: list[int], sides: Panel, best: int | None) -> None:
    if best is not None:
        axes.axvline(best, **BEST)
    for side, values in sides.items():
        axes.plot(epochs, values, markevery=marked(values), **SIDES[side][1])
    if not _finite(sides):
        axes.set_yticks([])
        axes.text(0.5, 0.5, "no finite value", transform=axes.transAxes, ha="center", color=GREY, fontsize=LABEL_POINTS)
    axes.set_xlim(*_room(epochs))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))


def _scale(axes: Axes, sides: Panel) -> None:
    """Makes the axis logarithmic where a linear one would lay most of the curve flat on the floor."""
    finite = _finite(sides)
    if finite and min(finite) > 0 and max(finite) > 100 * min(finite):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _finite(sides: Panel) -> list[float]:
    return [value for values in sides.values() for value in values if not math.isnan(value)]


def _room(epochs: list[int]) -> tuple[float, float]:
    """The ends of the axis of epochs: some room at either side, so that first and last marks are whole."""
    room = max(0.03 * (max(epochs) - min(epochs)), 0.15 if len(epochs) > 1 else 0.5)
    return min(epochs) - room, max(epochs) + room


def marked(values: list[float]) -> list[int]:
    """Where the marks go: not too many, but on every value that stands alone, since no line would show it."""
    gaps = [True, *(math.isnan(value) for value in values), True]
    apart = math.ceil(len(values) / _MARKS)
    return [at for at in range(len(values)) if at % apart == 0 or (gaps[at] and gaps[at + 2])]


def _explain(figure: Figure, sides: set[str], best: int | None) -> None:
    """One legend for all panels, outside of them: it can hide nothing."""
    handles = [Line2D([], [], label=label, **style) for side, (label, style) in SIDES.items() if side in sides]
    if best is not None:
        handles.append(Line2D([], [], label=f"best epoch: {best}", **BEST))
    look = {"ncols": 3, "frameon": False, "labelcolor": BLACK, "fontsize": TICK_POINTS}
    figure.legend(handles=handles, loc="outside lower center", handlelength=3, columnspacing=1.5, **look)
