"""Studies: what `truestep.plot.study_curve` and `truestep.plot.study_heat` draw."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FuncFormatter, NullFormatter

from truestep.core.errors import ConfigError
from truestep.plot.lines import SIDES, marked
from truestep.plot.style import BEST, BLACK, GREY, PALE, TICK_POINTS, NotebookFigure, dress, put_title
from truestep.sweep.curve import Curve, rising
from truestep.sweep.study import Study

_SIZE = (6.4, 4.4)  # inches
_LONG = 100.0  # from this ratio on, an axis is logarithmic
_FAR = 1e6  # times the median: from there on, a loss has as good as diverged
_TICKS = 16  # values of a hyper-parameter that are written beside a heat map
_DIVERGED: dict[str, Any] = {"color": GREY, "marker": "x", "linestyle": "", "markersize": 6}


def draw_study(study: Study, x: str, title: str | None) -> Figure:
    """See `truestep.plot.study_curve`."""
    sides = [side for side in SIDES if study.validated or side == "train"]
    others = [name for name in study.varied if name != x and len(set(map(repr, study.column(name)))) > 1]
    figure = NotebookFigure(*_SIZE)
    axes = figure.add_subplot()
    points = rising(study.column(x))
    at = _places(points)
    if others:
        handles = _draw_variants(axes, study, x, sides, at)
    else:
        handles = _draw_medians(axes, {side: study.curve(x, f"{side}_loss") for side in sides}, list(at.values()))
    _mark_best(axes, study, x, at, handles, None if others else study.curve(x))
    dress(axes, x.replace("_", " "), _meaning(study, others))
    _scale_x(axes, points, at)
    _scale_y(axes)
    look = {"ncols": 2, "frameon": False, "labelcolor": BLACK, "fontsize": TICK_POINTS}
    legend = figure.legend(handles=handles, loc="outside lower center", handlelength=3, **look)
    for text in legend.get_texts():
        text.set_parse_math(False)
    if title:
        put_title(figure, title, _SIZE[0])
    return figure


def _places(points: Sequence[Any]) -> dict[Any, float]:
    """Where each value stands: at itself where all are numbers, else one beside another."""
    numbers = all(isinstance(point, int | float) and not isinstance(point, bool) for point in points)
    return {point: float(point) if numbers else float(k) for k, point in enumerate(points)}


def _draw_medians(axes: Axes, curves: dict[str, Curve], at: Sequence[float]) -> list[Any]:
    """A line through the medians with the band over seeds, a cross at the top where the median diverged."""
    handles: list[Any] = []
    for side, curve in curves.items():
        words, style = SIDES[side]
        median, low, high = (np.where(np.isfinite(each), each, np.nan) for each in curve[1:])
        axes.fill_between(at, low, high, color=style["color"], alpha=0.22, linewidth=0)
        axes.plot(at, median, markevery=marked(median.tolist()), **style)
        handles.append(Line2D([], [], label=f"{words}, median", **style))
    if any(bool((curve.low != curve.high).any()) for curve in curves.values()):
        handles.append(Patch(color=GREY, alpha=0.3, linewidth=0, label="10 to 90 % of the seeds"))
    last = list(curves.values())[-1]
    gone = [place for place, value in zip(at, last.median, strict=True) if not math.isfinite(value)]
    return [*handles, *_cross(axes, gone)]


def _draw_variants(axes: Axes, study: Study, x: str, sides: Sequence[str], at: dict[Any, float]) -> list[Any]:
    """A mark a variant, where more than `x` differs and a median would mix what does not belong together."""
    handles: list[Any] = []
    values = [at[value] for value in study.column(x)]
    for side in sides:
        words, style = SIDES[side]
        look = {**style, "linestyle": "", "alpha": 0.6}
        axes.plot(values, study.column(f"{side}_loss"), **look)
        handles.append(Line2D([], [], label=words, **look))
    figures = study.column(study.judged)
    gone = sorted({value for value, each in zip(values, figures, strict=True) if not math.isfinite(each)})
    return [*handles, *_cross(axes, gone)]


def _cross(axes: Axes, gone: Sequence[float]) -> list[Line2D]:
    if not gone:
        return []
    axes.plot(gone, [0.98] * len(gone), transform=axes.get_xaxis_transform(), clip_on=False, **_DIVERGED)
    return [Line2D([], [], label="diverged", **_DIVERGED)]


def _mark_best(axes: Axes, study: Study, x: str, at: dict[Any, float], handles: list[Any], curve: Curve | None) -> None:
    """A line where the median is least; without medians, where the best variant is."""
    name = "validation" if study.validated else "training"
    finite = [pair for pair in zip(study.column(study.judged), study.column(x), strict=True) if math.isfinite(pair[0])]
    if not finite:
        return
    best = min(finite, key=lambda pair: pair[0])[1]
    if curve is not None:
        place = curve.least()
        if place is None:
            return
        best = list(at)[place]
    axes.axvline(at[best], **BEST)
    handles.append(Line2D([], [], label=f"least {name} loss: {x} = {_written(best)}", **BEST))


def _meaning(study: Study, others: Sequence[str]) -> str:
    return f"loss of each variant, whatever {' and '.join(others)}" if others else "loss (total / count)"


def _scale_x(axes: Axes, points: Sequence[Any], at: dict[Any, float]) -> None:
    values = list(at.values())
    if any(place != point for point, place in at.items()):
        axes.set_xticks(values, [_written(point) for point in points], parse_math=False)
        return
    steps = np.diff(values)
    even = len(steps) > 0 and np.allclose(steps, steps[0], rtol=1e-3)
    positive = [value for value in values if value > 0]
    if len(positive) < 2 or max(positive) <= _LONG * min(positive):
        return
    if min(values) > 0:
        axes.set_xscale("log")
    elif min(values) == 0 and not even:
        axes.set_xscale("symlog", linthresh=min(positive), linscale=0.5)
        axes.set_xlim(left=-0.2 * min(positive))
    if axes.get_xscale() != "linear":
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())


def _scale_y(axes: Axes) -> None:
    """A logarithmic axis where most of a linear one would lie flat on the floor; what nearly diverged leaves it."""
    drawn = [np.asarray(line.get_ydata(), dtype=float) for line in axes.lines if line.get_transform() == axes.transData]
    finite = np.array([value for values in drawn for value in values if math.isfinite(value)])
    if not finite.size:
        axes.text(0.5, 0.5, "every variant diverged", transform=axes.transAxes, ha="center", color=GREY)
        return
    low, high = float(finite.min()), _reach(finite)
    if low > 0 and high > _LONG * low:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    if high < finite.max():
        axes.set_ylim(top=high)


def _reach(finite: np.ndarray) -> float:
    """The greatest value to show: what is far above the rest would press it flat."""
    return min(float(finite.max()), _FAR * float(np.median(np.abs(finite))))


def draw_heat(study: Study, x: str, y: str, title: str | None) -> Figure:
    """See `truestep.plot.study_heat`."""
    if x == y:
        raise ConfigError(f"a heat map needs two different hyper-parameters, and both are {x}: study.plot({x!r}).")
    across, down = rising(study.column(x)), rising(study.column(y))
    cells = _cells(study, x, y, across, down)
    width = min(12.0, max(5.0, 2.4 + 0.42 * len(across)))
    figure = NotebookFigure(width, min(9.0, max(3.4, 1.6 + 0.34 * len(down))))
    axes = figure.add_subplot()
    finite = cells[np.isfinite(cells)]
    drawn = axes.pcolormesh(np.ma.masked_invalid(cells), cmap="cividis", norm=_norm(finite), edgecolors="none")
    for row, column in np.argwhere(np.isinf(cells)):
        look = {"facecolor": PALE, "edgecolor": GREY, "hatch": "////", "linewidth": 0.0}
        axes.add_patch(Rectangle((column, row), 1, 1, **look))
    dress(axes, x.replace("_", " "), y.replace("_", " "))
    axes.grid(False)
    for axis, values in ((axes.xaxis, across), (axes.yaxis, down)):
        every = math.ceil(len(values) / _TICKS)
        axis.set_ticks([k + 0.5 for k in range(0, len(values), every)], [_written(v) for v in values[::every]])
    axes.tick_params(axis="x", rotation=45 if max(len(_written(v)) for v in across) > 3 else 0)
    handles = _mark_cell(axes, cells, across, down, (x, y))
    if finite.size:
        bar = figure.colorbar(drawn, ax=axes, extend="max" if _reach(finite) < finite.max() else "neither")
        bar.set_label(f"{'validation' if study.validated else 'training'} loss (median)", color=BLACK)
        bar.ax.tick_params(which="both", labelsize=TICK_POINTS)
    look = {"ncols": 1, "frameon": False, "labelcolor": BLACK, "fontsize": TICK_POINTS}
    figure.legend(handles=handles, loc="outside lower center", **look)
    if title:
        put_title(figure, title, width)
    return figure


def _cells(study: Study, x: str, y: str, across: Sequence[Any], down: Sequence[Any]) -> np.ndarray:
    """Medians over seeds, (down, across): inf where the median diverged, NaN where there is no variant."""
    cells = np.full((len(down), len(across)), np.nan)
    for row, value in enumerate(down):
        here = {each for each, other in zip(study.column(x), study.column(y), strict=True) if other == value}
        curve = study.curve(x, **{y: value})
        for point, median in zip([each for each in across if each in here], curve.median, strict=True):
            cells[row, across.index(point)] = median
    return cells


def _mark_cell(
    axes: Axes, cells: np.ndarray, across: Sequence[Any], down: Sequence[Any], names: tuple[str, str]
) -> list[Any]:
    handles: list[Any] = []
    if np.isfinite(cells).any():
        row, column = divmod(int(np.argmin(np.where(np.isfinite(cells), cells, np.inf))), len(across))
        look = {"marker": "*", "markersize": 13, "markerfacecolor": "white", "markeredgecolor": BLACK, "linestyle": ""}
        axes.plot([column + 0.5], [row + 0.5], **look)
        words = f"least: {names[0]} = {_written(across[column])}, {names[1]} = {_written(down[row])}"
        handles.append(Line2D([], [], label=words, **look))
    if np.isinf(cells).any():
        handles.append(Patch(facecolor=PALE, edgecolor=GREY, hatch="////", linewidth=0.0, label="diverged"))
    return handles


def _norm(finite: np.ndarray) -> Normalize:
    if not finite.size:
        return Normalize(0.0, 1.0)
    low, high = float(finite.min()), _reach(finite)
    return LogNorm(low, high) if low > 0 and high > _LONG * low else Normalize(low, high)


def _written(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
