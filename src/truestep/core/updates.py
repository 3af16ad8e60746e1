"""Whoever moves the weights, behind one face: optimizers of torch, several of them, or a function written by hand."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import is_
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.optim import Optimizer

from truestep.core.bare import Update
from truestep.core.errors import ConfigError


class Updates(Protocol):
    """What a step asks of an optimizer.

    `summed` says that it finds summed gradients and divides by itself, `whole` that it moves just what was given.
    """

    summed: bool
    closure: bool
    whole: bool

    @property
    def parameters(self) -> list[Tensor]:
        """The tensors that it moves."""
        ...

    @property
    def lr(self) -> float | None:
        """The learning rate of the first group, before the schedule moves it on."""
        ...

    def clear(self) -> None:
        """Forget the gradients of the step before."""
        ...

    def apply(self, number: float) -> None:
        """Move the weights; `number` is what summed gradients are to be divided by."""
        ...


class TorchUpdates:
    """One or several `torch.optim` optimizers for one or several parts of a model."""

    summed = False

    def __init__(self, optimizers: Sequence[Optimizer], others: Sequence[Tensor]) -> None:
        self.optimizers = list(optimizers)
        self._steps = list(map(Update, optimizers))
        held, self._others = self.parameters, []
        self.whole = len(held) == len(others) and all(map(is_, held, others))
        if not self.whole:
            self._others = _left(held, others)
        self.closure = any(map(_needs_closure, optimizers))
        if self.closure and len(optimizers) > 1:
            raise ConfigError(
                "an optimizer with a closure (LBFGS) evaluates the step many times: it must be the only one."
            )

    @property
    def parameters(self) -> list[Tensor]:
        """All that the optimizers hold now: a group may be added while a backbone thaws."""
        return [p for one in self.optimizers for group in one.param_groups for p in group["params"]]

    @property
    def lr(self) -> float | None:
        """The rate of the first group of the first optimizer."""
        return float(self.optimizers[0].param_groups[0]["lr"])

    def clear(self) -> None:
        """Set every gradient to None."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    parameter.grad = None
        for parameter in self._others:
            parameter.grad = None

    def apply(self, number: float) -> None:
        """Step every optimizer once."""
        for step in self._steps:
            step()

    def __repr__(self) -> str:
        return ", ".join(_described(optimizer) for optimizer in self.optimizers)

    def apply_closure(self, closure: Callable[[], Tensor]) -> None:
        """Step through a closure; weights and state come back as they were if it raises."""
        optimizer = self.optimizers[0]
        weights = [p.detach().clone() for p in self.parameters]
        state = copy.deepcopy(optimizer.state_dict())
        try:
            optimizer.step(closure)  # pyright: ignore[reportCallIssue, reportArgumentType]
        except BaseException:
            with torch.no_grad():
                for parameter, before in zip(self.parameters, weights, strict=True):
                    parameter.copy_(before)
            optimizer.load_state_dict(state)
            raise


class HandWritten:
    """An `updater(batch_size)` that finds summed gradients in `param.grad` and divides by the number it is given."""

    summed = whole = True
    closure = False
    lr = None

    def __init__(self, updater: Callable[[Any], Any], parameters: Sequence[Tensor]) -> None:
        try:
            inspect.signature(updater).bind(1)
        except TypeError:
            raise ConfigError(
                f"the updater {getattr(updater, '__name__', updater)!r} must take one argument, the batch size that it "
                "divides the summed gradients by: lambda batch_size: sgd([w, b], lr, batch_size)."
            ) from None
        except ValueError:  # a builtin without a signature: let the call itself tell
            pass
        self.updater = updater
        self._parameters = list(parameters)

    @property
    def parameters(self) -> list[Tensor]:
        """The tensors that the model trains."""
        return self._parameters

    def clear(self) -> None:
        """Set every gradient to zeros, not None: an updater written by hand reads each `param.grad`."""
        for parameter in self.parameters:
            parameter.grad = torch.zeros_like(parameter)

    def __repr__(self) -> str:
        return f"updater {getattr(self.updater, '__name__', type(self.updater).__name__)}"

    def apply(self, number: float) -> None:
        """Call the updater, a whole number as an int."""
        with torch.no_grad():
            self.updater(int(number) if number == int(number) else number)


def updates(optimizer: Any, parameters: Sequence[Tensor]) -> Updates:
    """The face of whatever was given as optimizer.

    Raises:
        ConfigError: for anything that is neither optimizers nor a callable of one argument.
    """
    if isinstance(optimizer, Optimizer):
        return TorchUpdates([optimizer], parameters)
    several = list(optimizer.values()) if isinstance(optimizer, dict) else optimizer
    if isinstance(several, list | tuple) and several and all(isinstance(one, Optimizer) for one in several):
        return TorchUpdates(several, parameters)
    if isinstance(optimizer, type) and issubclass(optimizer, Optimizer):
        raise ConfigError(f"{optimizer.__name__} is a class: give {optimizer.__name__}(model.parameters(), lr=...).")
    if callable(optimizer):
        return HandWritten(optimizer, parameters)
    raise ConfigError(
        f"the optimizer must be a torch.optim.Optimizer, a list of them, or an updater(batch_size), not "
        f"{type(optimizer).__name__}."
    )


def _left(held: Sequence[Tensor], others: Sequence[Tensor]) -> list[Tensor]:
    """Those that no optimizer holds: their gradients would pile up for ever, so they are cleared too."""
    mine = set(map(id, held))
    if len(mine) < len(held):
        raise ConfigError("two optimizers (or groups) hold the same parameter: each parameter belongs to one of them.")
    return [tensor for tensor in others if id(tensor) not in mine]


def _described(optimizer: Optimizer) -> str:
    plain = {k: v for k, v in optimizer.param_groups[0].items() if isinstance(v, int | float) and v is not False}
    return f"{type(optimizer).__name__}({', '.join(f'{name}={value:g}' for name, value in plain.items())})"


def _needs_closure(optimizer: Optimizer) -> bool:
    return _demands_closure(type(optimizer).step)


@lru_cache(maxsize=64)
def _demands_closure(step: Callable[..., Any]) -> bool:
    closure = inspect.signature(step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty
