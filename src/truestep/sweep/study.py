"""A study that has been trained: its table, its curves, its best variant, its models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor, nn

from truestep.core.errors import ConfigError
from truestep.fit.history import History, Record, restore
from truestep.sweep.found import Chunk, Schedule
from truestep.sweep.grid import Variant
from truestep.sweep.settings import Maker
from truestep.sweep.table import Table

BAND = (0.1, 0.9)


class Curve(NamedTuple):
    """A figure against one hyper-parameter, over seeds: arrays (points,), x in rising order."""

    x: np.ndarray
    median: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass
class Study:
    """What `sweep` returns.

    `variants` in the order of the table; `notes` what was said; `seconds` what it took.
    """

    maker: Maker
    variants: list[Variant]
    plan: Schedule
    validated: bool
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    _found: dict[int, tuple[Chunk, int]] = field(default_factory=dict)

    def add(self, variants: Sequence[Variant], chunk: Chunk) -> None:
        """Take in a chunk that has ended."""
        for place, variant in enumerate(variants):
            self._found[variant.index] = chunk, place

    @property
    def trained(self) -> set[int]:
        """The places of the variants that are trained."""
        return set(self._found)

    @property
    def table(self) -> Table:
        """A row a variant: its hyper-parameters, seed, train_loss, valid_loss, metrics.

        `train_*` are over the last epoch, each batch before its own update, as in the record of `fit`; `valid_*` after
        it; `best_epoch` where epochs were compared. A variant that diverged has NaN, and `diverged` says when.
        """
        rows = [self._row(variant) for variant in self.variants]
        spare = [name for name in ("diverged", "best_epoch") if not any(row.get(name) for row in rows)]
        return Table([Record({k: v for k, v in row.items() if k not in spare}) for row in rows])

    def _row(self, variant: Variant) -> dict[str, Any]:
        row: dict[str, Any] = {**variant.varied, "seed": variant.seed}
        chunk, place = self._found[variant.index]
        for side in ("train", "valid"):
            for name, values in self._figures(getattr(chunk, side)).items():
                row[f"{side}_{name}"] = float(values[-1, place])
        best = int(chunk.best[place]) if self.plan.evaluate_every else 0
        return {**row, "diverged": int(chunk.diverged[place]), "best_epoch": best}

    def _figures(self, found: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss first, then the terms where there are several, then the metrics."""
        terms = self.maker.objective.terms
        own = list(terms) if len(terms) > 1 else []
        metrics = [name for name in found if name.startswith("metric ")]
        return {name.removeprefix("metric "): found[name] for name in ("loss", *own, *metrics) if name in found}

    def history(self, i: int) -> History:
        """The records of variant i, one an epoch, as `fit` keeps them; `valid_*` where it was evaluated."""
        chunk, place = self._at(i)
        records = []
        for epoch in range(1, self.plan.epochs + 1):
            record: dict[str, Any] = {"epoch": epoch}
            for side in ("train", "valid"):
                for name, values in self._figures(getattr(chunk, side)).items():
                    if side == "train" or self.plan.evaluates(epoch):
                        record[f"{side}_{name}"] = float(values[epoch - 1, place])
            records.append(Record(record))
        return History(records)

    def curve(self, x: str, y: str = "valid_loss", band: tuple[float, float] = BAND, **where: Any) -> Curve:
        """`(x, median, low, high)`: the figure `y` against the hyper-parameter `x`, over seeds.

        `low` and `high` are the quantiles `band` (0.1 and 0.9). A variant that diverged counts as infinitely bad.
        `where` picks the variants with these settings, as in `curve("lr", momentum=0.9)`.

        Raises:
            ConfigError: where there is no such column, or other hyper-parameters differ within one x.
        """
        table = self.table.where(**where)
        column = table[x]
        table[y]
        for name in self.variants[0].varied:
            others = {_key(row[name]) for row in table}
            if name not in (x, *where) and len(others) > 1:
                raise ConfigError(
                    f"{name} differs as well, in {len(others)} values: pick one, study.curve({x!r}, {y!r}, "
                    f"{name}={table[name][0]!r})."
                )
        points = sorted(set(column))
        groups = [[row[y] for row in table if row[x] == point] for point in points]
        sides = [[_quantile(values, share) for values in groups] for share in (0.5, *band)]
        return Curve(np.array(points), *(np.array(side) for side in sides))

    def best(self, figure: str | None = None) -> Record:
        """The row with the least `valid_loss` (without validation: `train_loss`), or the least of another figure.

        An accuracy counts the other way: the greatest is the best.

        Raises:
            ConfigError: where no variant has a finite figure.
        """
        name = figure or ("valid_loss" if self.validated else "train_loss")
        sign = -1.0 if "accuracy" in name else 1.0
        table = self.table
        table[name]
        finite = [(sign * row[name], k) for k, row in enumerate(table) if math.isfinite(row[name])]
        if not finite:
            raise ConfigError(f"no variant has a finite {name}: all of them diverged.")
        place = min(finite)[1]
        return Record({"variant": place, **table[place]})

    def model(self, i: int, best: bool = False) -> nn.Module:
        """The trained model of variant i, made anew, in evaluation mode; `best`: with the weights of its best epoch.

        Raises:
            ConfigError: for a variant that is not there, or best weights that nobody kept.
        """
        chunk, place = self._at(i)
        held = chunk.best_weights if best else chunk.weights
        if best and not held:
            raise ConfigError("no best weights were kept: give sweep validate=... and evaluate_every=1.")
        model = self.maker.make(self.variants[i])
        own = model.state_dict()
        restore({name: held[name][place] for name in own if name in held} | _tied(model, held, place), model)
        return model.eval()

    def norms(self) -> list[float]:
        """The 2-norm of all weights of each variant."""
        return [self._norm(variant.index) for variant in self.variants]

    def _norm(self, index: int) -> float:
        chunk, place = self._found[index]
        return math.hypot(*(float(each[place].double().norm()) for each in chunk.weights.values()))

    def _at(self, i: int) -> tuple[Chunk, int]:
        if i not in self._found:
            raise ConfigError(f"there is no variant {i}: this study has 0 to {len(self.variants) - 1}.")
        return self._found[i]

    def __repr__(self) -> str:
        return f"Study of {len(self.variants)} variants in {self.seconds:.2f} s\n{self.table!r}"


def _tied(model: nn.Module, held: dict[str, Tensor], place: int) -> dict[str, Tensor]:
    """Weights that a model holds under two names were kept under the first."""
    first = {id(each): name for name, each in model.named_parameters()}
    again = {name: first[id(each)] for name, each in model.named_parameters(remove_duplicate=False)}
    return {name: held[own][place] for name, own in again.items() if name not in held}


def _quantile(values: Sequence[float], share: float) -> float:
    bad = [math.inf if math.isnan(value) else value for value in values]
    if all(map(math.isfinite, bad)):
        return float(np.quantile(bad, share))
    return float(np.quantile(bad, share, method="nearest"))


def _key(value: Any) -> str:
    return repr(value)
