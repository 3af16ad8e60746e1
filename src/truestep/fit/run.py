"""A finished run: its history, its best weights, where it was written, and what was said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from truestep.core.errors import ConfigError
from truestep.fit.history import Best, History, Record, restore

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(slots=True, repr=False)
class Run:
    """What `fit` returns.

    `history` has one record an epoch; `stopped` says in words why a run ended before its last epoch, else ""; `notes`
    are the sentences that were said; `folder` is the run folder, or None; `of_losses` the parameters that the losses
    themselves hold, which belong to the best weights too.
    """

    history: History
    kept: Best
    parameters: Sequence[Tensor]
    of_losses: Sequence[Tensor] = ()
    folder: Path | None = None
    stopped: str = ""
    notes: list[str] = field(default_factory=list)
    steps: int = 0
    seconds: float = 0.0

    @property
    def best(self) -> Record | None:
        """The record of the epoch with the least validation loss; None where nothing was validated."""
        return self.kept.record

    def load_best(self, model: Any = None) -> Record:
        """Copy the weights of the best epoch into `model` (None: the tensors that were trained, for a plain function).

        Raises:
            ConfigError: where no epoch was validated, or for a model of another make.
        """
        if self.kept.record is None:
            raise ConfigError("no best weights were kept: give fit validate=(inputs, targets) to judge the epochs by.")
        restore(self.kept.weights, self.parameters if model is None else model)
        restore(self.kept.of_losses, self.of_losses)
        return self.kept.record

    def plot(self, title: str | None = None) -> Figure:
        """The curves of the run: loss, metrics, the best epoch. Needs the extra `plot`.

        Raises:
            ConfigError: where no epoch ended.
        """
        from truestep.plot import curves

        if not self.history:
            raise ConfigError("there is nothing to plot: no epoch of this run ended.")
        return curves(self.history, title=title, best=None if self.best is None else int(self.best["epoch"]))

    def save_plot(self, title: str | None = None) -> tuple[Path, Path]:
        """Save the curves in the run folder as `curves.png` and `curves.svg`, and return where they are.

        Raises:
            ConfigError: where the run has no folder, or no epoch ended.
        """
        from truestep.plot import save
        from truestep.store.runs import FIGURE

        if self.folder is None:
            raise ConfigError("this run has no folder to save its curves in: give fit run_dir='runs/name'.")
        return save(self.plot(title), self.folder, FIGURE)

    def __repr__(self) -> str:
        best = "" if self.best is None else f", best {self.best!r}"
        last = f", last {self.history[-1]!r}" if self.history else ""
        return f"Run of {len(self.history)} epochs, {self.steps} steps in {self.seconds:.2f} s{last}{best}"

    def _repr_html_(self) -> str:
        from truestep.notebook.sheets import run_page

        return run_page(self)
