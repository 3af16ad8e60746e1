"""Figures: learning curves, grids of images, and the files they are saved in; matplotlib is imported on first use."""

import importlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from truestep.core.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["curves", "image_grid", "save"]


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
