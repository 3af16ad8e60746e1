"""A study that has been trained: its table, its curves, its best variant, its models."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from truestep.core.errors import ConfigError
from truestep.fit.history import History, Record, restore
from truestep.store.atomic import make_folder, write_text
from truestep.sweep.curve import BAND, Curve, curve_of, quantile, rising
from truestep.sweep.found import Chunk, Schedule
from truestep.sweep.grid import Variant
from truestep.sweep.settings import Maker
from truestep.sweep.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NORM = "weight_norm"


@dataclass
class Study:
    """What `sweep` returns.

    `variants` in the order of the table; `notes` what was said; `planned` how each group of variants was trained;
    `seconds` what it took.
    """

    maker: Maker
    variants: list[Variant]
    plan: Schedule
    validated: bool
    notes: list[str] = field(default_factory=list)
    planned: list[str] = field(default_factory=list)
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

    @property
    def varied(self) -> list[str]:
        """The names of the hyper-parameters of the grid."""
        return list(self.variants[0].varied)

    @property
    def judged(self) -> str:
        """The figure that variants are compared by: the validation loss, where there is one."""
        return "valid_loss" if self.validated else "train_loss"

    def column(self, name: str) -> list[Any]:
        """One value a variant: a column of the table, or "weight_norm", the 2-norm of its trained weights.

        Raises:
            ConfigError: where there is no such column.
        """
        return self.norms() if name == NORM else self.table[name]

    def curve(self, x: str, y: str | None = None, band: tuple[float, float] = BAND, **where: Any) -> Curve:
        """`(x, median, low, high)`: the figure `y` against the hyper-parameter `x`, over seeds.

        `y` is as in `column`, by default the validation loss; `low` and `high` are the quantiles `band` (0.1 and 0.9).
        A variant that diverged counts as infinitely bad. `where` picks the variants with these settings, as in
        `curve("lr", momentum=0.9)`.

        Raises:
            ConfigError: where there is no such column, or other hyper-parameters differ within one x.
        """
        at, figures = self.column(x), self.column(name := y or self.judged)
        picked = self._picked(where)
        for other in self.varied:
            values = [self.variants[k].varied[other] for k in picked]
            if other not in (x, *where) and (count := len(set(map(repr, values)))) > 1:
                raise ConfigError(
                    f"{other} differs as well, in {count} values: pick one, study.curve({x!r}, {name!r}, "
                    f"{other}={values[0]!r})."
                )
        groups = _grouped((at[k], figures[k]) for k in picked)
        points = rising(list(groups))
        return curve_of(points, [groups[point] for point in points], band, better_is_more(name))

    def points(self, *figures: str, band: tuple[float, float] = BAND) -> Table:
        """A row a point of the grid: its settings, how many seeds, and of each figure the median, low and high.

        Raises:
            ConfigError: for a figure that is no column.
        """
        names = figures or (self.judged,)
        columns = {name: self.column(name) for name in names}
        groups = _grouped((tuple(v.varied.items()), v.index) for v in self.variants)
        rows = []
        for settings, members in groups.items():
            row = {**dict(settings), "seeds": len(members)}
            for name, column in columns.items():
                values = [column[k] for k in members]
                sides = {"": 0.5, "_low": band[0], "_high": band[1]}
                row |= {f"{name}{side}": quantile(values, q, better_is_more(name)) for side, q in sides.items()}
            rows.append(Record(row))
        return Table(rows)

    def _picked(self, where: Mapping[str, Any]) -> list[int]:
        """The places of the variants that have these settings."""
        for name in where:
            self.column(name)
        table = self.table
        found = [k for k, row in enumerate(table) if all(row[name] == value for name, value in where.items())]
        if not found:
            asked = ", ".join(f"{name}={value!r}" for name, value in where.items())
            known = "; ".join(f"{name} is one of {rising(table[name])}" for name in where)
            raise ConfigError(f"no variant has {asked}: {known}.")
        return found

    def best(self, figure: str | None = None) -> Record:
        """The row with the least `valid_loss` (without validation: `train_loss`), or the least of another figure.

        An accuracy counts the other way: the greatest is the best.

        Raises:
            ConfigError: where no variant has a finite figure.
        """
        name = figure or self.judged
        sign = -1.0 if better_is_more(name) else 1.0
        finite = [(sign * value, k) for k, value in enumerate(self.column(name)) if math.isfinite(value)]
        if not finite:
            raise ConfigError(f"no variant has a finite {name}: all of them diverged.")
        place = min(finite)[1]
        return Record({"variant": place, **self.table[place]})

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
        """The 2-norm of all parameters of each variant; running statistics and other buffers are no weights."""
        own = [name for name, _ in self.maker.make(self.variants[0]).named_parameters()]
        chunks = {id(chunk): chunk for chunk, _ in self._found.values()}
        sums = {}
        for key, chunk in chunks.items():
            parts = [chunk.weights[name].double().flatten(1).square().sum(1) for name in own if name in chunk.weights]
            sums[key] = torch.stack(parts).sum(0).sqrt()
        return [float(sums[id(chunk)][place]) for chunk, place in (self._found[v.index] for v in self.variants)]

    def _at(self, i: int) -> tuple[Chunk, int]:
        if i not in self._found:
            raise ConfigError(f"there is no variant {i}: this study has 0 to {len(self.variants) - 1}.")
        return self._found[i]

    def plot(self, x: str, y: str | None = None, title: str | None = None) -> Figure:
        """Training and validation loss against one hyper-parameter, median and band over seeds; over two, a heat map.

        Raises:
            ConfigError: where there is no such column.
        """
        from truestep.plot import study_curve, study_heat

        return study_curve(self, x, title) if y is None else study_heat(self, x, y, title)

    def figure(self, title: str | None = None) -> Figure:
        """The figure that fits the grid: a heat map where two hyper-parameters are crossed, else against the first."""
        crossed = len(self.varied) == 2 and len(self.points()) == math.prod(
            len(set(map(repr, self.column(name)))) for name in self.varied
        )
        return self.plot(*(self.varied if crossed else self.varied[:1] or ["seed"]), title=title)

    def to_html(self, path: str | Path, title: str | None = None, figure: bool = True) -> Path:
        """Write the study as one page that stands alone: figure, learning curves of every variant, table.

        Raises:
            ConfigError: without matplotlib, unless `figure` is False.
            StoreError: where the file cannot be written.
        """
        from truestep.plot.page import study_page

        write_text(path, study_page(self, title or "A study", self.figure(title) if figure else None))
        return Path(path)

    def save(self, folder: str | Path, title: str | None = None, figure: bool = True) -> list[Path]:
        """Save `table.csv`, `table.json`, `study.html` and the figure as `study.png` and `study.svg`.

        Raises:
            ConfigError: without matplotlib, unless `figure` is False; the table is saved before.
            StoreError: where a file cannot be written.
        """
        from truestep.plot import save

        place, table = Path(folder).expanduser(), self.table
        make_folder(place)
        written = [place / "table.csv", place / "table.json"]
        for path, text in zip(written, (table.to_csv(), table.to_json()), strict=True):
            write_text(path, text)
        figures = save(self.figure(title), place, "study") if figure else ()
        return [*written, *figures, self.to_html(place / "study.html", title, figure)]

    def __repr__(self) -> str:
        return f"Study of {len(self.variants)} variants in {self.seconds:.2f} s\n{self.table!r}"

    def _repr_html_(self) -> str:
        from truestep.notebook.sheets import study_page

        return study_page(self)


def _tied(model: nn.Module, held: dict[str, Tensor], place: int) -> dict[str, Tensor]:
    """Weights that a model holds under two names were kept under the first."""
    first = {id(each): name for name, each in model.named_parameters()}
    again = {name: first[id(each)] for name, each in model.named_parameters(remove_duplicate=False)}
    return {name: held[own][place] for name, own in again.items() if name not in held}


def better_is_more(figure: str) -> bool:
    """An accuracy counts the other way than a loss."""
    return "accuracy" in figure


def _grouped(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, list[Any]]:
    """The seconds of all pairs by their first."""
    found: dict[Any, list[Any]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found
