"""Figures: curves, live ones too, charts, images, ledgers, studies, and their files; imports matplotlib on use."""

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from truestep.core.errors import ConfigError
from truestep.plot.panels import Bars, Curve, Panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from truestep.plot.growing import Live
    from truestep.sweep.study import Study

__all__ = [
    "Bars",
    "Curve",
    "Panel",
    "chart",
    "curves",
    "image_grid",
    "ledger_shares",
    "live",
    "pyplot",
    "save",
    "study_curve",
    "study_heat",
    "svg_in_notebook",
]


def chart(panels: Sequence[Panel], title: str | None = None) -> "Figure":
    """Curves and bars, one pair of axes a panel, side by side, with one legend below them.

    A name has one look in all panels. Raises `DataError` where a panel is empty, or for more names than looks.
    """
    _need_matplotlib()
    from truestep.plot.charts import draw_chart

    return draw_chart(panels, title)


def curves(history: Sequence[Mapping[str, Any]], title: str | None = None, best: int | None = None) -> "Figure":
    """Learning curves: one panel for the loss and one for every metric, training and validation in each.

    `history` holds one mapping an epoch with `epoch` and any `train_…` and `valid_…` figures; what is missing or not
    finite leaves a gap. The loss gets a logarithmic axis where it spans more than two decades. `best` is the epoch to
    mark, by default the one with the least `valid_loss`. Shows itself in a notebook; needs no screen and no pyplot.
    Raises `DataError` when there is nothing to draw, `ConfigError` when `best` is not an epoch of the history.
    """
    _need_matplotlib()
    from truestep.plot.lines import draw_curves

    return draw_curves(history, title, best)


def image_grid(
    images: Any, labels: Sequence[Any], predicted: Sequence[Any] | None = None, columns: int = 8
) -> "Figure":
    """Images with their labels; a wrong prediction gets a frame, a cross and both labels, so colour is not needed.

    `images`: (n, height, width), (n, channels, height, width) or (n, height, width, channels), with n from 1 to 400 and
    1 or 3 channels; all share one scale, in which black is the greatest value. Raises `ShapeError` for other shapes and
    for unequal lengths, `DataError` for no images, `ConfigError` for too many or for `columns` below 1.
    """
    _need_matplotlib()
    from truestep.plot.images import draw_images

    return draw_images(images, labels, predicted, columns)


def ledger_shares(
    shares: Mapping[str, Mapping[str, float]], causes: Sequence[str] | None = None, title: str | None = None
) -> "Figure":
    """What made each parameter's change: a stacked bar each, with what worked against it to the left of zero.

    `shares`: parameter -> cause -> share, as `Account.shares` has it, of which the first 100 parameters are drawn;
    `causes` the order of the causes, by default the order in which they appear. A parameter that did not move says so.
    Raises `DataError` when there is no parameter.
    """
    _need_matplotlib()
    from truestep.plot.shares import draw_shares

    found = dict.fromkeys(cause for row in shares.values() for cause in row)
    return draw_shares(shares, list(dict.fromkeys([*(causes or []), *found])), title)


def live(
    size: tuple[float, float] = (4.4, 3.3),
    rows: int = 1,
    columns: int = 1,
    path: str | os.PathLike[str] | None = None,
    say: Callable[[str], object] = lambda sentence: None,
) -> "Live":
    """A figure that grows: `line = figure.trace("-")`, then `line.add(x, y)` and `figure.refresh()` again and again.

    In a notebook one output is updated in place; elsewhere the figure is drawn to `path` as PNG, whole at any moment.
    However many points there are, a drawing costs the same, and all drawings together at most a tenth of the time;
    the last points are drawn by `figure.draw()`, and in any case when the cell or the program ends.

    `size` is in inches; `figure.figure` and `figure.axes` are matplotlib's. `say` is told in one sentence where the
    figure is, or why it cannot be written: that ends the drawing, and not the program.
    """
    _need_matplotlib()
    from truestep.plot.growing import Live

    return Live(size, rows, columns, None if path is None else Path(path).absolute(), say)


def pyplot() -> ModuleType:
    """`matplotlib.pyplot`, loaded now, for whoever draws by hand. Raises `ConfigError` where it is not installed."""
    _need_matplotlib()
    return importlib.import_module("matplotlib.pyplot")


def svg_in_notebook() -> None:
    """Let a notebook show the figures of pyplot as SVG, which stays sharp; anywhere else it does nothing."""
    _need_matplotlib()
    from truestep.plot.growing import notebook_shell

    if notebook_shell() is not None:
        importlib.import_module("matplotlib_inline.backend_inline").set_matplotlib_formats("svg")


def study_curve(study: "Study", x: str, title: str | None = None) -> "Figure":
    """Training and validation loss of a study against the hyper-parameter `x`: the median over seeds, with a band.

    The band holds 8 of 10 seeds; a dotted line is where the median validation loss is least, a cross where the median
    diverged. Where other hyper-parameters differ too, every variant is a mark of its own. An axis is logarithmic where
    it spans more than two decades. Raises `ConfigError` for a name that is no column of the table.
    """
    _need_matplotlib()
    from truestep.plot.studies import draw_study

    return draw_study(study, x, title)


def study_heat(study: "Study", x: str, y: str, title: str | None = None) -> "Figure":
    """The validation loss of a study over two hyper-parameters, median over seeds: diverged cells hatched, a star on
    the least.

    Raises `ConfigError` for names that are no columns, or where a third hyper-parameter differs.
    """
    _need_matplotlib()
    from truestep.plot.studies import draw_heat

    return draw_heat(study, x, y, title)


def save(figure: "Figure", folder: str | os.PathLike[str], name: str) -> tuple[Path, Path]:
    """Saves `figure` as folder/name.png (150 dots per inch) and folder/name.svg, and returns both paths.

    The same figure gives the same bytes; text in the SVG stays text. The folder is made when it is missing. Raises
    `StoreError` when it cannot be written.
    """
    _need_matplotlib()
    from truestep.plot.files import save_figure

    return save_figure(figure, folder, name)


def _need_matplotlib() -> None:
    try:
        importlib.import_module("matplotlib")
    except ImportError as failure:
        raise ConfigError(f'figures need matplotlib ({failure}): pip install "truestep[plot]"') from failure
