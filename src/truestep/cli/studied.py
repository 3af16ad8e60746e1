"""What `truestep sweep` says at the end: the curve, where it is least, from where it is flat, where everything is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import truestep as ts
from truestep.cli.show import figure, show_table

SHOWN = 26  # points of a curve on the screen
BEST = 20  # of a grid
NORM = "weight_norm"


def facts(study: ts.Study) -> dict[str, Any]:
    """A study as part of one JSON object."""
    least, flat = _marks(study)
    return {
        "variants": len(study.variants),
        "varied": study.varied,
        "points": list(study.points(*_figures(study))),
        "least": least,
        "flat_from": flat,
        "best": _best(study),
        "diverged": _diverged(study),
        "table": list(study.table),
        "notes": study.notes,
        "seconds": study.seconds,
    }


def report(study: ts.Study, places: Sequence[tuple[str, Path]]) -> None:
    """The same for a person, on stdout."""
    _show_points(study)
    for name, words in [*_results(study), *((name, str(path)) for name, path in places)]:
        print(f"{name:<14} {words}")


def _show_points(study: ts.Study) -> None:
    """A line a point: in the order of the only hyper-parameter, thinned; of several the best first."""
    points, order = study.points(*_figures(study)), _order(study)
    best = _first(study)
    if len(study.varied) == 1:
        every = math.ceil(len(order) / SHOWN)
        shown = [k for place, k in enumerate(order) if place % every == 0 or k in (best, order[-1])]
        left = f"{len(order)} points, of which 1 in {every}, the best (*) and the last are shown" if every > 1 else ""
    else:
        shown = sorted(order, key=lambda k: points[k][study.judged])[:BEST]
        left = f"the best {BEST} of {len(order)} points" if len(order) > BEST else ""
    first, *others = study.varied
    columns = _columns(study)
    lines = [
        [f"{_written(points[k][first])} {'*' if k == best else ' '}", *(_written(points[k][name]) for name in others)]
        + [figure(name, points[k][name]) for name in columns]
        for k in shown
    ]
    show_table([*study.varied, *map(_head, columns)], lines, bold=shown.index(best))
    seeds = max(points["seeds"])
    told = f"median, low and high: quantiles 0.5, 0.1 and 0.9 over {seeds} seeds" if seeds > 1 else ""
    print("\n".join([*(line for line in (left, told) if line), ""]))


def _order(study: ts.Study) -> list[int]:
    """The points in rising order of the only hyper-parameter; otherwise as they come."""
    points = study.points()
    rows = list(range(len(points)))
    return sorted(rows, key=lambda k: points[k][study.varied[0]]) if _ordered(study) else rows


def _first(study: ts.Study) -> int:
    """The point with the least median."""
    medians = study.points()[study.judged]
    return min(range(len(medians)), key=medians.__getitem__)


def _ordered(study: ts.Study) -> bool:
    """Whether there is one hyper-parameter, and it is a number."""
    return len(study.varied) == 1 and all(isinstance(value, int | float) for value in study.column(study.varied[0]))


def _figures(study: ts.Study) -> list[str]:
    """The figures of a point, the one that decides first."""
    others = [name for name in study.table.columns if name.endswith("_accuracy")]
    return list(dict.fromkeys([study.judged, "train_loss", *others, NORM]))


def _columns(study: ts.Study) -> list[str]:
    judged, *others = _figures(study)
    band = [f"{judged}_low", f"{judged}_high"] if max(study.points()["seeds"]) > 1 else []
    return [judged, *band, *others]


def _head(name: str) -> str:
    words = name.replace("valid_", "test ").replace("_", " ")
    for side in (" low", " high"):
        words = words.replace(side, f"\n{side[1:]}")
    return words if "\n" in words else f"{words}\nmedian"


def _marks(study: ts.Study) -> tuple[Any, Any]:
    """Where the median of the loss is least along the only hyper-parameter, and from where on it is flat."""
    if not _ordered(study):
        return None, None
    curve = study.curve(study.varied[0])
    places = curve.least(), curve.flat_from()
    least, flat = (None if place is None else curve.x[place].item() for place in places)
    return least, flat


def _results(study: ts.Study) -> list[tuple[str, str]]:
    found = []
    name = study.judged.replace("valid_", "test ").replace("_", " ")
    if _ordered(study):
        x, (least, flat), curve = study.varied[0], _marks(study), study.curve(study.varied[0])
        if least is not None:
            value = figure("loss", float(curve.median[curve.least()]))
            found.append(("least", f"{x} = {_written(least)}: the median of the {name} is {value}"))
        rule = "the median stays within 5 % of its last value"
        words = f"from {x} = {_written(flat)} on, where {rule}" if flat is not None else f"nowhere: at no point {rule}"
        found.append(("flat", words))
        norms = study.curve(x, NORM)
        ends = (f"{figure('norm', float(norms.median[k]))} at {x} = {_written(norms.x[k].item())}" for k in (0, -1))
        found.append(("weight norm", f"{' and '.join(ends)} (median of ||w||, all parameters)"))
    best = _best(study)
    if best is not None:
        own = ", ".join(f"{key} = {_written(best[key])}" for key in (*study.varied, "seed"))
        found.append(("best variant", f"{best['variant']} ({own}), {name} {figure('loss', best[study.judged])}"))
    if gone := _diverged(study):
        found.append(("diverged", f"{gone} of {len(study.variants)} variants"))
    return [*found, ("took", f"{len(study.variants):,} variants in {study.seconds:.3g} s")]


def _best(study: ts.Study) -> Any:
    return study.best() if any(math.isfinite(value) for value in study.column(study.judged)) else None


def _diverged(study: ts.Study) -> int:
    return sum(not math.isfinite(value) for value in study.column(study.judged))


def _written(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
