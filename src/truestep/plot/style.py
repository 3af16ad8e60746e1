"""How truestep's figures look: the palette of Okabe and Ito, with lines and marks that differ as well."""

import io
import math
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

# Okabe and Ito, "Color Universal Design" (2008).
BLACK, BLUE, VERMILION = "#000000", "#0072B2", "#D55E00"
GREY, PALE = "#595959", "#D9D9D9"

TRAIN: dict[str, Any] = {"color": BLUE, "linestyle": "-", "marker": "o", "linewidth": 1.5, "markersize": 4.5}
VALID: dict[str, Any] = {"color": VERMILION, "linestyle": "--", "marker": "s", "linewidth": 1.5, "markersize": 4.5}
BEST: dict[str, Any] = {"color": BLACK, "linestyle": ":", "linewidth": 1.2}

TITLE_POINTS, LABEL_POINTS, TICK_POINTS = 12.0, 10.0, 9.0
LETTER = 0.6  # a letter's mean width in DejaVu Sans, rounded up, in sizes of the type

# matplotlib takes these from its global settings only, at the moment of drawing; its fonts are not for threads either.
_SVG_SETTINGS: dict[str, Any] = {"svg.hashsalt": "truestep", "svg.fonttype": "none", "svg.image_inline": True}
_drawing = threading.RLock()


class NotebookFigure(Figure):
    """A figure that shows itself in a notebook without pyplot and without its global list of open figures."""

    def __init__(self, width: float, height: float) -> None:
        super().__init__(figsize=(width, height), dpi=100, facecolor="white", layout="constrained")
        FigureCanvasAgg(self)

    def _repr_png_(self) -> bytes:
        return render(self, "png", dpi=100)


def render(figure: Figure, kind: str, dpi: float) -> bytes:
    """The bytes of `figure` as "png" or "svg": without a date or version in them, so equal figures are equal bytes."""
    blank = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    buffer = io.BytesIO()
    with _drawing, _settings(_SVG_SETTINGS):
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=blank)
    return buffer.getvalue()


def dress(axes: Axes, xlabel: str, ylabel: str) -> None:
    """Labels and quiet lines, the same whatever style the user's own figures have."""
    axes.set_facecolor("white")
    axes.set_xlabel(xlabel, parse_math=False, color=BLACK, fontsize=LABEL_POINTS)
    axes.set_ylabel(textwrap.fill(ylabel, 36), parse_math=False, color=BLACK, fontsize=LABEL_POINTS)
    axes.tick_params(which="both", color=GREY, labelcolor=BLACK, labelsize=TICK_POINTS)
    axes.grid(True, color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(GREY)


def put_title(figure: Figure, title: str, width: float) -> Text:
    """A title above everything, in as many lines as `width` inches need; a dollar sign starts no formula."""
    letters = max(10, math.floor(width * 72 / (TITLE_POINTS * LETTER)))
    return figure.suptitle(textwrap.fill(title, letters), parse_math=False, color=BLACK, fontsize=TITLE_POINTS)


@contextmanager
def _settings(wanted: dict[str, Any]) -> Iterator[None]:
    # Only these keys are put back, where rc_context would also undo what another thread has set meanwhile.
    current: Any = matplotlib.rcParams
    before = {key: current[key] for key in wanted}
    current.update(wanted)
    try:
        yield
    finally:
        current.update(before)
