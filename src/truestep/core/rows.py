"""What several steps of one shape found, in columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

from torch import Tensor

from truestep.core.forward import Figures, Place, told
from truestep.core.outcome import StepOut


@dataclass(slots=True)
class Rows:
    """What `times` steps found: the figures of each as plain numbers, a column a figure, and as tensors.

    The last column but one has the `norms` of the gradients, the last says of each step that it was sound. `tensors`
    are empty where there are no metrics, whose figures alone are shown as tensors.
    """

    found: Figures
    columns: Sequence[Sequence[float]]
    tensors: Sequence[Any]
    weights: Any
    lr: float | None
    times: int = field(init=False)
    norms: Sequence[float] = field(init=False)

    def __post_init__(self) -> None:
        *_, self.norms, sound = self.columns
        self.times = len(sound)

    def terms(self) -> Iterator[tuple[str, Sequence[float], Sequence[float]]]:
        """The name of each term, and its total and its count in each step."""
        names, size = self.found.names, len(self.found.names)
        for k, name in enumerate(names):
            yield name, self._each(self.found.rows[k]), self._each(self.found.rows[size + k])

    def metrics(self) -> Iterator[tuple[str, Sequence[float], Sequence[float], bool]]:
        """The same of each metric, and whether it is a sum."""
        for name, (loss, places) in self.found.metrics.items():
            total, count = (
                self._each(Place(places[k]) if k in places else getattr(loss, k)) for k in ("total", "count")
            )
            yield name, total, count, loss.reduction == "sum"

    def _each(self, figure: Any) -> Sequence[float]:
        return self.columns[figure.number] if isinstance(figure, Place) else list(repeat(float(figure), self.times))

    def out(self, number: int) -> StepOut:
        """What one of them did."""
        row = [column[number] for column in self.columns]
        tensors: list[Tensor] = [tensor[number] for tensor in self.tensors]
        return told(self.found, row, tensors, self.weights, self.norms[number], self.lr)
