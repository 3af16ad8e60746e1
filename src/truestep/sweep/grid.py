"""The variants of a study: every combination of a grid, each with every seed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from truestep.core.errors import ConfigError
from truestep.sweep.draws import Draw

SHARED = ("weights", "order")


@dataclass(frozen=True)
class Variant:
    """One run of a study: its place in the table, what is varied and what is fixed, and its seed.

    `weights` seeds the start, `order` the batch order: the seed itself, or that of the first variant where they are
    shared.
    """

    index: int
    varied: Mapping[str, Any]
    settings: Mapping[str, Any]
    seed: int
    weights: int
    order: int


def variants(
    grid: Any, fixed: Mapping[str, Any] | None, seeds: Any, share: Any, trials: int | None, draw_seed: int = 0
) -> list[Variant]:
    """Every point of the grid with every seed, the seeds of one point side by side.

    Raises:
        ConfigError: for a grid, seeds or shared things that cannot mean anything.
    """
    shared = _shared(share)
    points = _points(grid, trials, draw_seed)
    constant = dict(fixed or {})
    if twice := sorted(set(constant) & {name for point in points for name in point}):
        raise ConfigError(f"{twice[0]} is in the grid and in fixed: leave one of them out.")
    rows = [(point, seed) for point in points for seed in _seeds_of(point, seeds)]
    first = rows[0][1]
    found = []
    for index, (point, seed) in enumerate(rows):
        varied = {name: value for name, value in point.items() if name != "seed"}
        start, order = (first if what in shared else seed for what in SHARED)
        found.append(Variant(index, varied, {**constant, **varied}, seed, start, order))
    return found


def _points(grid: Any, trials: int | None, draw_seed: int) -> list[dict[str, Any]]:
    if grid is None:
        return [{}]
    if isinstance(grid, Mapping):
        return _crossed(grid, trials, draw_seed)
    points = [dict(point) for point in grid] if isinstance(grid, Iterable) else []
    if not points or any(point.keys() != points[0].keys() for point in points):
        raise ConfigError(
            "a grid is name -> values, as in grid={'lr': [0.1, 0.01]}, or a list of settings that all have the same "
            "names, as in grid=[{'lr': 0.1, 'momentum': 0.9}, ...]."
        )
    if trials is not None:
        raise ConfigError("trials counts draws, and a list of settings draws nothing: leave trials out.")
    return [{name: plain(value) for name, value in point.items()} for point in points]


def _crossed(grid: Mapping[str, Any], trials: int | None, draw_seed: int) -> list[dict[str, Any]]:
    drawn = {name: values for name, values in grid.items() if isinstance(values, Draw)}
    listed = {name: _listed(name, values) for name, values in grid.items() if name not in drawn}
    if (trials is None) != (not drawn):
        what = f"{next(iter(drawn))} is drawn" if drawn else "nothing in the grid is drawn"
        raise ConfigError(f"trials says how many points are drawn, and {what}: give both or neither.")
    if trials is not None and (not isinstance(trials, int) or trials < 1):
        raise ConfigError(f"trials is a whole number of at least 1, and not {trials!r}.")
    generator = torch.Generator().manual_seed(draw_seed)
    columns = {name: draw.take(trials or 0, generator) for name, draw in drawn.items()}
    rolled = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)] or [{}]
    crossed = [dict(zip(listed, values, strict=True)) for values in itertools.product(*listed.values())]
    return [{**point, **more} for point in crossed for more in rolled]


def _listed(name: str, values: Any) -> list[Any]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ConfigError(f"the grid needs several values for {name}, as in {{{name!r}: [{values!r}]}}.")
    found = [plain(value) for value in values]
    if not found:
        raise ConfigError(f"the grid has no values for {name}: give at least one.")
    if bad := [value for value in found if isinstance(value, float) and not math.isfinite(value)]:
        raise ConfigError(f"the grid has {bad[0]} for {name}, which is no finite number.")
    return found


def plain(value: Any) -> Any:
    """A Python number from whatever holds a single one."""
    if isinstance(value, Tensor) or hasattr(value, "dtype"):
        return value.item()
    return tuple(plain(each) for each in value) if isinstance(value, list | tuple) else value


def _seeds_of(point: Mapping[str, Any], seeds: Any) -> Sequence[int]:
    if "seed" in point:
        if not isinstance(point["seed"], int) or seeds not in (None, 1):
            raise ConfigError("a seed in the grid is a whole number, and then stands alone: leave seeds out.")
        return [point["seed"]]
    several = isinstance(seeds, Iterable)
    found = list(seeds) if several else range(1 if seeds is None else seeds if type(seeds) is int else 0)
    if not found or len(set(found)) < len(found) or not all(type(seed) is int and seed >= 0 for seed in found):
        raise ConfigError(f"seeds is a number of seeds, or different whole numbers of at least 0, and not {seeds!r}.")
    return found


def _shared(share: Any) -> tuple[str, ...]:
    found = (share,) if isinstance(share, str) or not isinstance(share, Iterable) else tuple(share)
    if strange := [what for what in found if what not in SHARED]:
        raise ConfigError(f"share knows 'weights' and 'order', and {strange[0]!r} is neither.")
    return found
