"""Images with their labels: what `truestep.plot.image_grid` draws."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from truestep.core.errors import ConfigError, DataError, ShapeError
from truestep.plot.style import BLACK, LETTER, PALE, TICK_POINTS, VERMILION, NotebookFigure

_MOST = 400
_PICTURE = 1.1  # inches
_CROSS = "✗"


def draw_images(images: Any, labels: Sequence[Any], predicted: Sequence[Any] | None, columns: int) -> Figure:
    """See `truestep.plot.image_grid`."""
    pictures, truth = _pictures(images), _names(labels)
    guesses = truth if predicted is None else _names(predicted)
    if not len(pictures) == len(truth) == len(guesses):
        counts = f"{len(pictures)} images, {len(truth)} labels" + (
            "" if predicted is None else f", {len(guesses)} predictions"
        )
        raise ShapeError(f"every image needs one label, and one prediction where there are any: there are {counts}")
    if columns < 1:
        raise ConfigError(f"columns={columns} leaves no room for an image: use 1 or more")
    columns = min(columns, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    captions = [_caption(*pair) for pair in zip(truth, guesses, strict=True)]
    lines = [line for caption in captions for line in caption.splitlines()]
    across = max(_PICTURE, (max(map(len, lines), default=0) + 1) * LETTER * TICK_POINTS / 72)
    down = _PICTURE + 0.25 * max(caption.count("\n") + 1 for caption in captions)
    figure = NotebookFigure(across * columns, down * rows)
    finite = pictures[np.isfinite(pictures)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    for place, (picture, caption) in enumerate(zip(pictures, captions, strict=True), 1):
        axes = figure.add_subplot(rows, columns, place)
        shown = (picture - low) / (high - low or 1.0) if picture.ndim == 3 else picture
        axes.imshow(shown, cmap="gray_r", vmin=low, vmax=high, interpolation="nearest")
        _frame(axes, caption)
    return figure


def _pictures(images: Any) -> np.ndarray:
    """(n, height, width) or (n, height, width, 3) in float64."""
    pictures = torch.as_tensor(images).detach().to("cpu", torch.float64).numpy()
    shape = tuple(pictures.shape)
    if len(shape) == 4 and shape[1] in (1, 3) and shape[3] not in (1, 3):
        pictures = pictures.transpose(0, 2, 3, 1)
    if pictures.ndim == 4 and pictures.shape[3] == 1:
        pictures = pictures[..., 0]
    if 0 in shape:
        raise DataError(f"there is no image to show: the shape is {shape}")
    if pictures.ndim != 3 and not (pictures.ndim == 4 and pictures.shape[3] == 3):
        raise ShapeError(
            f"images of shape {shape} cannot be shown: use (n, height, width), with 1 or 3 channels if any"
        )
    if shape[0] > _MOST:
        raise ConfigError(
            f"{shape[0]} images are too many for one figure: show at most {_MOST}, as in images[:{_MOST}]"
        )
    return pictures


def _names(labels: Sequence[Any]) -> list[str]:
    values = labels.tolist() if isinstance(labels, torch.Tensor | np.ndarray) else labels
    return [str(value.item() if isinstance(value, torch.Tensor) else value) for value in values]


def _caption(name: str, guess: str) -> str:
    return name if name == guess else f"{_CROSS} {guess}\nis {name}"


def _frame(axes: Axes, caption: str) -> None:
    wrong = caption.startswith(_CROSS)
    color, weight, width = (VERMILION, "bold", 2.5) if wrong else (BLACK, "normal", 0.6)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_facecolor("white")
    axes.set_xlabel(caption, parse_math=False, fontsize=TICK_POINTS, color=color, weight=weight)
    for spine in axes.spines.values():
        spine.set_color(VERMILION if wrong else PALE)
        spine.set_linewidth(width)
