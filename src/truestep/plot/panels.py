"""What `truestep.plot.chart` draws, as plain data: curves and bars in panels with labelled axes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Curve:
    """One line: `y` against `x`, with a band from `low` to `high` where both are given.

    Curves of the same name look the same in every panel, and share one entry of the legend.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Bars:
    """One series of bars: label -> value."""

    name: str
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes: curves, or bars that lie side by side under their labels.

    Bars run from left to right, so `xlabel` names what they measure and `ylabel` what each of them stands for. `log`
    names the logarithmic axes, "x", "y" or "xy"; `level` draws a horizontal line at a value that is known, by its name.
    """

    xlabel: str
    ylabel: str
    curves: Sequence[Curve] = ()
    bars: Sequence[Bars] = ()
    title: str = ""
    log: str = ""
    level: Mapping[str, float] | None = None
