"""What a loss means on a batch, whatever its reduction."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

import truestep as ts
from truestep.d2l.counting import number

NOTHING = ts.Loss(torch.zeros((), dtype=torch.float64), 0.0)
_CLOSE = 1e-4  # relative: far above the rounding of a sum in float32, far below the factor 2 that is looked for


class Reading:
    """A loss as the objective of one step on a whole batch, and as a figure that adds up over batches.

    Elements and means are totals over their counts. A sum is a sum where an optimizer of torch takes the step, as torch
    has it, and is divided by the samples where an updater written by hand does. A function that returns one number is
    tried on a batch written twice: a mean stays as it is, and a sum doubles.

    `figure` is the last batch as the mean over its elements, whatever the reduction: its total and its count.

    Args:
        loss: a loss, a term or an objective.
        by_hand: whether the step is an updater's that is written by hand, and finds summed gradients.

    Raises:
        ConfigError: where `by_hand` would have to divide one number that is neither a mean nor a sum.
    """

    def __init__(self, loss: Any, by_hand: bool = False) -> None:
        self.figure = NOTHING
        self._loss, self._by_hand = loss, by_hand
        self._objective = loss if isinstance(loss, ts.Objective) else ts.Objective(loss)
        # What one number is, "mean", "sum" or "other"; a term or an objective has said it, and "" is to be found out.
        self._found = "other" if isinstance(loss, ts.Objective | ts.Term) else ""

    def __call__(self, y_hat: Tensor, y: Any) -> ts.Loss:
        """The loss of one batch, as its total and what that is divided by."""
        part = self._objective(y_hat, y)
        if part.alone and not self._found:
            self._found = self._find_out(y_hat.detach(), y)
        meaning = self._found if part.alone else part.reduction
        total, count, samples = part.total, part.count, part.samples
        if meaning == "sum":
            self.figure = _figure(total, part.size or samples)
            count = samples if self._by_hand else 1
        elif part.alone:  # a number of its own for each batch: batches count by their samples
            self.figure = _figure(part.mean * samples, samples)
            total, count = (total * samples, samples) if meaning == "mean" else (total, count)
        else:
            self.figure = _figure(total, count)
        return ts.Loss(total, count, samples=samples)

    def _find_out(self, y_hat: Tensor, y: Any) -> str:
        once, twice = (self._tried(y_hat, y, times) for times in (1, 2))
        if once == 0:
            return ""  # nothing is both, and the next batch will tell
        if math.isclose(twice, once, rel_tol=_CLOSE):
            return "mean"
        if math.isclose(twice, 2 * once, rel_tol=_CLOSE):
            return "sum"
        if self._by_hand:
            raise ts.ConfigError(
                "the loss returns one number that is neither the mean nor the sum of its samples, so an updater "
                "written by hand cannot know what to divide by: let it return one element a sample, or say what it is, "
                "ts.Term(loss, reduction='sum')."
            )
        return "other"

    def _tried(self, y_hat: Tensor, y: Any, times: int) -> float:
        try:
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                return number(self._loss(torch.cat([y_hat] * times), torch.cat([y] * times)))
        except (RuntimeError, TypeError, ValueError, IndexError):  # made for batches of one size alone
            return math.nan


def _figure(total: Tensor, count: Any) -> ts.Loss:
    return ts.Loss(torch.tensor(number(total), dtype=torch.float64), number(count))
