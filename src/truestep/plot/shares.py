"""Shares of each cause by parameter: what `truestep.plot.ledger_shares` draws."""

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from truestep.core.errors import DataError
from truestep.explain.figures import shorten
from truestep.explain.sheets import looks
from truestep.plot.style import BLACK, GREY, LETTER, TICK_POINTS, NotebookFigure, dress, put_title

_MOST = 100  # parameters in one figure
_LETTERS = 32  # of a name
_ROW = 0.3  # inches
_PLOT = 6.0
_NOTHING = 0.0005  # a share up to this can be told neither as a bar nor in the legend
_SMALL = 7.5  # points, of the figures inside the bars

Shares = Mapping[str, Mapping[str, float]]


def draw_shares(shares: Shares, causes: Sequence[str], title: str | None) -> Figure:
    """See `truestep.plot.ledger_shares`."""
    if not shares:
        raise DataError("there is nothing to draw: the ledger has no parameter.")
    names = list(shares)[:_MOST]
    labels = [shorten(name, _LETTERS) for name in names]
    width = _PLOT + max(map(len, labels)) * LETTER * TICK_POINTS / 72
    seen = [cause for cause in causes if any(abs(shares[name].get(cause, 0.0)) > _NOTHING for name in names)]
    across = max(1, int(width * 72 / (TICK_POINTS * LETTER * (max(map(len, seen), default=8) + 7))))
    rows = math.ceil(len(seen) / across)
    figure = NotebookFigure(width, _ROW * len(names) + 0.9 + 0.22 * rows + (0.5 if title else 0.0))
    axes = figure.add_subplot()
    looked = looks(causes)
    low, high = _span([shares[name] for name in names])
    for place, name in enumerate(names):
        _draw_row(axes, place, shares[name], looked, high - low)
    _dress(axes, labels, len(shares) - len(names), (low, high))
    handles = [_patch(cause, *looked[cause]) for cause in seen]
    if handles:
        look = {"ncols": across, "frameon": False, "labelcolor": BLACK, "fontsize": TICK_POINTS}
        legend = figure.legend(handles=handles, loc="outside lower center", **look)
        for text in legend.get_texts():
            text.set_parse_math(False)
    if title:
        put_title(figure, title, width)
    return figure


def _draw_row(
    axes: Axes, place: int, shares: Mapping[str, float], looked: Mapping[str, tuple[str, bool]], reach: float
) -> None:
    """Positive shares from zero to the right, behind one another, and negative ones to the left."""
    ends = {True: 0.0, False: 0.0}
    known = {cause: share for cause, share in shares.items() if math.isfinite(share) and share}
    for cause, share in known.items():
        colour, hatched = looked[cause]
        start, ends[share < 0] = ends[share < 0], ends[share < 0] + share
        hatch = "////" if hatched else None
        axes.barh(place, share, left=start, height=0.72, color=colour, edgecolor=BLACK, linewidth=0.4, hatch=hatch)
        text = f"{100 * share:,.0f} %"
        if abs(share) / reach * _PLOT * 72 > (len(text) + 1) * LETTER * _SMALL and not hatched:
            ink = "white" if _dark(colour) else BLACK
            middle = start + share / 2
            axes.text(middle, place, text, ha="center", va="center", fontsize=_SMALL, color=ink, clip_on=True)
    if not known:
        why = "did not move" if all(map(math.isfinite, shares.values())) else "not finite"
        axes.text(0.01 * reach, place, why, va="center", fontsize=_SMALL, color=GREY)


def _span(rows: Sequence[Mapping[str, float]]) -> tuple[float, float]:
    finite = [[share for share in row.values() if math.isfinite(share)] for row in rows]
    low = min(sum(share for share in row if share < 0) for row in finite)
    high = max(1.0, *(sum(share for share in row if share > 0) for row in finite))
    return low, high


def _dress(axes: Axes, labels: Sequence[str], left_out: int, span: tuple[float, float]) -> None:
    low, high = span
    more = f"\n({left_out:,} more parameters are not drawn)" if left_out else ""
    dress(axes, f"share of the parameter's change{more}", "")
    axes.set_yticks(range(len(labels)), labels, parse_math=False)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    room = 0.02 * (high - low)
    axes.set_xlim(low - room if low < -_NOTHING else 0.0, high + room)
    axes.axvline(0.0, color=BLACK, linewidth=0.8)
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:,.0f} %"))


def _patch(cause: str, colour: str, hatched: bool) -> Patch:
    hatch = "////" if hatched else None
    return Patch(facecolor=colour, edgecolor=BLACK, linewidth=0.4, hatch=hatch, label=shorten(cause, _LETTERS))


def _dark(colour: str) -> bool:
    """Whether white is easier to read on a colour than black (relative luminance of WCAG 2, without its bend)."""
    red, green, blue = (part**2.2 for part in to_rgb(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.18
