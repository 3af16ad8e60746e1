"""Curves and bars in panels: what `truestep.plot.chart` draws."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from truestep.core.errors import DataError
from truestep.plot.panels import Curve, Panel
from truestep.plot.style import (
    BLACK,
    BLUE,
    GREY,
    LABEL_POINTS,
    TICK_POINTS,
    VERMILION,
    NotebookFigure,
    dress,
    put_title,
)

# Okabe and Ito, "Color Universal Design" (2008); lines, marks and hatches differ as well.
_LOOKS: tuple[tuple[str, Any, str, str], ...] = (
    (BLUE, "-", "o", ""),
    (VERMILION, "--", "s", "////"),
    ("#009E73", "-.", "^", "...."),
    ("#CC79A7", ":", "D", "xxxx"),
    (BLACK, (0, (5, 1, 1, 1, 1, 1)), "v", "----"),
    ("#E69F00", (0, (1, 1)), "P", "++++"),
)
_LEVEL: dict[str, Any] = {"color": GREY, "linestyle": (0, (1, 2)), "linewidth": 1.4}
_PANEL = 4.6, 3.4  # inches
_BAR, _MARKS, _LETTERS = 0.3, 20, 36


def draw_chart(panels: Sequence[Panel], title: str | None) -> Figure:
    """See `truestep.plot.chart`."""
    if not panels or not all(panel.curves or panel.bars for panel in panels):
        raise DataError("there is nothing to draw: give at least one panel, and each at least one curve or bar.")
    names = list(dict.fromkeys(item.name for panel in panels for item in (*panel.curves, *panel.bars)))
    if len(names) > len(_LOOKS):
        raise DataError(f"{len(names)} names are more than the {len(_LOOKS)} that can be told apart: draw fewer.")
    looks = dict(zip(names, _LOOKS, strict=False))
    width = _PANEL[0] * max(len(panels), 1.45)
    figure = NotebookFigure(width, max(map(_height, panels)) + (0.4 if title else 0.0))
    for place, panel in enumerate(panels, 1):
        axes = figure.add_subplot(1, len(panels), place)
        _draw_panel(axes, panel, looks)
    _explain(figure, panels, looks, width)
    if title:
        put_title(figure, title, width)
    return figure


def _height(panel: Panel) -> float:
    rows = sum(len(item.values) for item in panel.bars)
    return max(_PANEL[1], 1.6 + _BAR * rows) if rows > 4 or panel.curves else 2.8


def _draw_panel(axes: Axes, panel: Panel, looks: Mapping[str, tuple[str, Any, str, str]]) -> None:
    for curve in panel.curves:
        _draw_curve(axes, curve, looks[curve.name])
    for value in (panel.level or {}).values():
        axes.axhline(value, **_LEVEL)
    if panel.bars:
        _draw_bars(axes, panel, looks)
    _scale(axes, panel)
    dress(axes, panel.xlabel, panel.ylabel)
    if panel.bars:
        axes.grid(False, axis="y")
        axes.tick_params(axis="y", length=0)
    if panel.title:
        axes.set_title(textwrap.fill(panel.title, 44), fontsize=LABEL_POINTS, color=BLACK, parse_math=False)


def _scale(axes: Axes, panel: Panel) -> None:
    """Logarithmic axes where they are asked for; whole numbers on an axis that has no others."""
    if "y" in panel.log:
        axes.set_yscale("log")
    if "x" in panel.log:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    elif panel.curves:
        whole = all(isinstance(value, int) for curve in panel.curves for value in curve.x)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=whole))


def _draw_curve(axes: Axes, curve: Curve, look: tuple[str, Any, str, str]) -> None:
    colour, line, mark, _ = look
    every = math.ceil(len(curve.x) / _MARKS)
    style = {"color": colour, "linestyle": line, "marker": mark, "markersize": 4.5, "linewidth": 1.5}
    if curve.low and curve.high:
        axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.2, linewidth=0)
    axes.plot(curve.x, curve.y, markevery=every, **style)


def _draw_bars(axes: Axes, panel: Panel, looks: Mapping[str, tuple[str, Any, str, str]]) -> None:
    """Bars from the first label down, each with its value written behind its end."""
    labels = list(dict.fromkeys(label for item in panel.bars for label in item.values))
    height = 0.76 / len(panel.bars)
    for row, item in enumerate(panel.bars):
        colour, _, _, hatch = looks[item.name]
        places = [labels.index(label) + (row - (len(panel.bars) - 1) / 2) * height for label in item.values]
        look = {"color": "white" if hatch else colour, "edgecolor": colour, "hatch": hatch, "linewidth": 1.0}
        drawn = axes.barh(places, list(item.values.values()), height=0.86 * height, **look)
        texts = [f"{value:,.4g}" for value in item.values.values()]
        axes.bar_label(drawn, texts, padding=3, fontsize=TICK_POINTS, color=BLACK)
    axes.set_yticks(range(len(labels)), [textwrap.fill(label, _LETTERS) for label in labels], parse_math=False)
    axes.set_ylim(len(labels) - 0.45, -0.55)
    axes.axvline(0.0, color=BLACK, linewidth=0.8)
    axes.margins(x=0.18)  # room for the values


def _explain(
    figure: Figure, panels: Sequence[Panel], looks: Mapping[str, tuple[str, Any, str, str]], width: float
) -> None:
    """One legend for all panels, outside of them: it can hide nothing. Bars that stand alone are told by their axis."""
    handles: list[Any] = []
    for name, (colour, line, mark, hatch) in looks.items():
        if any(curve.name == name for panel in panels for curve in panel.curves):
            handles.append(Line2D([], [], label=name, color=colour, linestyle=line, marker=mark, markersize=4.5))
        elif any(len(panel.bars) > 1 and bars.name == name for panel in panels for bars in panel.bars):
            face = "white" if hatch else colour
            handles.append(Patch(label=name, facecolor=face, edgecolor=colour, hatch=hatch))
    levels = {name for panel in panels for name in (panel.level or {})}
    handles += [Line2D([], [], label=name, **_LEVEL) for name in sorted(levels)]
    if len(handles) < 2:
        return
    letters = max(len(handle.get_label()) for handle in handles) + 8
    columns = max(1, min(len(handles), int(width * 72 / (0.6 * TICK_POINTS * letters))))
    look = {"ncols": columns, "frameon": False, "labelcolor": BLACK, "fontsize": TICK_POINTS, "handlelength": 3}
    legend = figure.legend(handles=handles, loc="outside lower center", **look)
    for text in legend.get_texts():
        text.set_parse_math(False)
