"""What a step hands to its optimizer, caught before anything moves: as it is, in float64, and with quiet layers."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from truestep.core.batch import Batch, change
from truestep.core.errors import ConfigError
from truestep.core.objective import Objective
from truestep.core.outcome import StepOut
from truestep.core.precision import Precision
from truestep.core.schedule import Schedule
from truestep.core.step import TrainStep
from truestep.core.updates import Updates
from truestep.explain.handmade import undone
from truestep.explain.preserve import random_state

SCALES = 32  # float16: how often the scale of a loss may be halved before the gradient has to fit


@dataclass(frozen=True, slots=True)
class Caught:
    """The gradient of a step before clipping, parameter by parameter in float64.

    `number` is what a hand-written updater divides by (these gradients are divided already), `drew` whether random
    numbers were drawn.
    """

    gradients: tuple[Tensor, ...]
    number: float
    out: StepOut
    drew: bool


class _Catcher:
    """In the place of whoever moves the weights: keeps what it is given and moves nothing."""

    closure = False

    def __init__(self, updates: Updates) -> None:
        self._updates = updates
        self.summed, self.whole = updates.summed, updates.whole
        self.number = 1.0
        self.found: tuple[Tensor, ...] = ()

    @property
    def parameters(self) -> list[Tensor]:
        return self._updates.parameters

    @property
    def lr(self) -> float | None:
        return self._updates.lr

    def clear(self) -> None:
        self._updates.clear()

    def apply(self, number: float) -> None:
        self.number = number
        self.found = tuple(dense(p.grad, p) / number for p in self.parameters)


def variant(step: TrainStep, objective: Objective | None = None, precision: Precision | None = None) -> TrainStep:
    """The same step on the same tensors, with another objective or precision; the step itself stays as it is."""
    other = copy.copy(step)
    other.objective, other.precision = objective or step.objective, precision or step.precision
    other._pass = replace(step._pass, objective=other.objective, precision=other.precision)
    return other


def caught(
    step: TrainStep,
    batches: Sequence[Batch],
    micro_batch: int | None = None,
    objective: Objective | None = None,
    redraw: bool = False,
) -> Caught:
    """The gradient of one step on several batches as one, before clipping; `redraw` takes other random numbers.

    Raises:
        ConfigError: where the step is skipped, with the reason.
    """
    other, catcher = variant(step, objective), _Catcher(step.updates)
    other.updates, other.schedule, other.clip_norm, other.micro_batch = catcher, Schedule(), None, micro_batch
    with undone(step):
        if redraw:
            torch.rand(1)
            torch.rand(1, device=step.device)
        before = random_state(step.device)
        out = other.window(batches)
        for _ in range(SCALES if step.precision.scaler is not None else 0):
            if not out.skipped:
                break
            out = other.window(batches)
        drew = any(not torch.equal(a, b) for a, b in zip(before, random_state(step.device), strict=True))
    if out.skipped:
        raise ConfigError(out.reason)
    return Caught(catcher.found, catcher.number, out, drew)


def relative(found: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """`|found - expected| / |expected|` in the 2-norm over all parameters; 1 where only `expected` is zero."""
    error = norm([a - b for a, b in zip(found, expected, strict=True)])
    size = norm(expected)
    return error / size if size else float(error > 0)


def norm(tensors: Sequence[Tensor]) -> float:
    """The 2-norm over all entries of all tensors, in float64."""
    return math.hypot(*(float(tensor.double().norm()) for tensor in tensors))


def dense(gradient: Tensor | None, like: Tensor) -> Tensor:
    """A gradient as a float64 copy; zeros where the loss does not reach the parameter."""
    if gradient is None:
        return torch.zeros_like(like, dtype=torch.float64)
    return (gradient.to_dense() if gradient.is_sparse else gradient).detach().double().clone()


def widened(batch: Batch) -> Batch:
    """The batch with its floating-point tensors in float64."""

    def wide(leaf: Any) -> Any:
        return leaf.double() if isinstance(leaf, Tensor) and leaf.is_floating_point() else leaf

    return change(batch[0], wide), change(batch[1], wide)


@contextmanager
def in_float64(step: TrainStep) -> Iterator[None]:
    """Inside, the tensors of model and losses hold float64 copies of their values; a plain function sees them too.

    The values that they had come back untouched: they are laid aside, not converted. Autocast leaves float64 alone.
    """
    losses = [term.loss for term in step.objective.terms.values()]
    modules = [one for one in (step.model, *losses) if isinstance(one, nn.Module)]
    held = [*step.updates.parameters, *(t for one in modules for t in (*one.parameters(), *one.buffers()))]
    kept = [(t, t.data, t.grad) for t in {id(t): t for t in held}.values() if t.is_floating_point()]
    try:
        for tensor, values, _ in kept:
            tensor.grad = None
            tensor.data = values.double()
        yield
    finally:
        for tensor, values, gradient in kept:
            tensor.grad = None
            tensor.data = values
            tensor.grad = gradient


@contextmanager
def quiet(model: Any) -> Iterator[None]:
    """Inside, the model is in evaluation mode: nothing is dropped, and batch normalisation uses what it has learned."""
    modes = [(module, module.training) for module in model.modules()] if isinstance(model, nn.Module) else []
    try:
        for module, _ in modes:
            module.training = False
        yield
    finally:
        for module, training in modes:
            module.training = training
