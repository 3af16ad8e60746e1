"""Two steps from the same weights, on the same batch, with the same random draws; everything is put back afterwards."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from truestep.core.batch import Batch
from truestep.core.errors import ConfigError, NonFiniteError
from truestep.core.model import names_of
from truestep.core.outcome import StepOut
from truestep.core.step import TrainStep
from truestep.explain.handmade import undone

Tweak = Callable[[TrainStep], TrainStep]
"""Changes something about a step inside `undone`: in place, or by returning a variant."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that was taken and undone: the change of each parameter by name, in float64; `reason` where it failed."""

    updates: Mapping[str, Tensor]
    out: StepOut | None = None
    reason: str = ""

    @property
    def norm(self) -> float:
        """The 2-norm of the whole update."""
        return math.sqrt(product(self.updates, self.updates))


@dataclass(frozen=True, slots=True)
class Pair:
    """Two steps and one batch; `first` and `second` hold the parameters of each by a name that they share."""

    a: TrainStep
    b: TrainStep
    batch: Batch
    first: Mapping[str, Tensor]
    second: Mapping[str, Tensor]

    @property
    def names(self) -> tuple[str, ...]:
        """Every parameter that one of the two may move."""
        return tuple(dict.fromkeys((*self.first, *self.second)))

    @property
    def weights(self) -> dict[str, Tensor]:
        """The weights that both steps start from, in float64."""
        return {name: tensor.detach().double() for name, tensor in (dict(self.second) | dict(self.first)).items()}

    @property
    def noise(self) -> float:
        """How far the rounding of the weights may carry a difference of two updates."""
        held = [*self.first.values(), *self.second.values()]
        eps = max(torch.finfo(tensor.dtype).eps for tensor in held)
        return eps * math.sqrt(product(self.weights, self.weights))

    def take_a(self, *tweaks: Tweak) -> Taken:
        """The step A."""
        return self._take(self.a, self.first, tweaks)

    def take_b(self, *tweaks: Tweak) -> Taken:
        """The step B from the weights and buffers of A."""
        return self._take(self.b, self.second, (self._level, *tweaks))

    def _take(self, step: TrainStep, held: Mapping[str, Tensor], tweaks: tuple[Tweak, ...]) -> Taken:
        with undone(step):
            for tweak in tweaks:
                step = tweak(step)
            before = {name: tensor.detach().double().clone() for name, tensor in held.items()}
            try:
                out = step(*self.batch)
            except NonFiniteError as error:
                return Taken({}, reason=str(error))
            moved = {name: tensor.detach().double() - before[name] for name, tensor in held.items()}
        zeros = {name: torch.zeros_like(tensor) for name, tensor in self.weights.items()}
        return Taken(zeros | moved, out, out.reason)

    def _level(self, step: TrainStep) -> TrainStep:
        mine, others = self.b.model, self.a.model
        pairs = [(self.second[name], tensor) for name, tensor in self.first.items() if name in self.second]
        if isinstance(mine, nn.Module) and isinstance(others, nn.Module):
            theirs = dict(others.named_parameters()) | dict(others.named_buffers())
            held = dict(mine.named_parameters()) | dict(mine.named_buffers())
            alike = [name for name in held if name in theirs and held[name].shape == theirs[name].shape]
            pairs += [(held[name], theirs[name]) for name in alike]
        with torch.no_grad():
            for own, other in pairs:
                if own is not other:
                    own.copy_(other)
        return step


def paired(a: TrainStep, b: TrainStep, batch: Batch) -> Pair:
    """Find which parameter of B belongs to which of A: by name, else by position.

    Raises:
        ConfigError: where shapes do not match, naming the first parameter.
    """
    first, second = _named(a), _named(b)
    if not first.keys() & second.keys() and len(first) == len(second):
        second = dict(zip(first, second.values(), strict=True))
    for name, tensor in first.items():
        if name in second and second[name].shape != tensor.shape:
            raise ConfigError(
                f"A and B cannot be compared: {name} has the shape {tuple(tensor.shape)} in A and "
                f"{tuple(second[name].shape)} in B: give steps on models of the same make."
            )
    if not first.keys() & second.keys():
        raise ConfigError(
            f"A and B cannot be compared: A trains {', '.join(first)} and B trains {', '.join(second)}: give steps on "
            "models of the same make."
        )
    return Pair(a, b, batch, first, second)


def product(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> float:
    """The inner product over all parameters, in float64."""
    return sum(float((a[name] * b[name]).sum()) for name in a)


def minus(a: Mapping[str, Tensor], b: Mapping[str, Tensor], factor: float = 1.0) -> dict[str, Tensor]:
    """`a - factor * b`, parameter by parameter."""
    return {name: a[name] - factor * b[name] for name in a}


def length(a: Mapping[str, Tensor]) -> float:
    """The 2-norm over all parameters."""
    return math.sqrt(product(a, a))


def _named(step: TrainStep) -> dict[str, Tensor]:
    names = names_of(step.model, step.updates.parameters)
    return {names[id(tensor)]: tensor for tensor in step.updates.parameters}
