"""The figures of a run, saved in its folder."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

import truestep as ts

SHOWN, COLUMNS = 40, 10
Shown = tuple[Tensor, list[str], list[str]]


def save_figures(run: ts.Run, title: str, folder: Path, shown: Shown | None) -> list[Path]:
    """The learning curves, and test images with their predictions, each as PNG and SVG.

    Raises:
        ConfigError: without matplotlib, with the command that installs it.
        StoreError: where a file cannot be written.
    """
    saved = [*run.save_plot(title)]
    if shown is not None:
        saved += ts.plot.save(ts.plot.image_grid(*shown, columns=COLUMNS), folder, "predictions")
    return saved


def predicted(recipe: ModuleType, options: dict[str, Any], run: ts.Run, split: ts.data.Split) -> Shown:
    """Test images taken evenly over the test set, their classes, and what the best weights take them for."""
    images, labels = split.test
    index = torch.linspace(0, len(images) - 1, min(SHOWN, len(images))).long().to(images.device)
    net, params = recipe.model(like=images, **options)
    run.load_best(net if isinstance(net, nn.Module) else params)
    with torch.no_grad():
        guesses = net(images[index]).argmax(1)
    truth, guess = ([split.classes[i] for i in each.tolist()] for each in (labels[index], guesses))
    return images[index], truth, guess
