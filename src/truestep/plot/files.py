"""Figures as files: what `truestep.plot.save` writes."""

import os
from pathlib import Path

from matplotlib.figure import Figure

from truestep.plot.style import render
from truestep.store.atomic import make_folder, write_bytes


def save_figure(figure: Figure, folder: str | os.PathLike[str], name: str) -> tuple[Path, Path]:
    """See `truestep.plot.save`."""
    png, svg = Path(folder) / f"{name}.png", Path(folder) / f"{name}.svg"
    make_folder(folder)
    write_bytes(png, render(figure, "png", dpi=150))
    write_bytes(svg, render(figure, "svg", dpi=150))
    return png, svg
