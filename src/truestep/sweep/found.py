"""What a chunk of variants is asked for, and what it found."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long a chunk trains, in which batches, and when it is evaluated (0: after the last epoch alone)."""

    epochs: int
    batch_size: int
    evaluate_every: int

    def evaluates(self, epoch: int) -> bool:
        """Whether the figures of validation are taken after this epoch."""
        return epoch == self.epochs or bool(self.evaluate_every and epoch % self.evaluate_every == 0)


@dataclass(slots=True)
class Chunk:
    """What a chunk of variants found: figures of each epoch as tensors (variants,), float64, and the weights.

    `totals` and `counts` of the training pass and of the validation, name -> (epochs, variants), NaN where nothing was
    taken; `diverged` the epoch in which a variant stopped being finite, else 0; `best` the epoch of the least
    validation loss, else 0.
    """

    diverged: Tensor
    best: Tensor
    train: dict[str, Tensor] = field(default_factory=dict)
    valid: dict[str, Tensor] = field(default_factory=dict)
    weights: dict[str, Tensor] = field(default_factory=dict)
    best_weights: dict[str, Tensor] = field(default_factory=dict)
