"""Backward passes, squares and updates of torch without what torch does around them, where that would do nothing.

A small network's arithmetic costs less than the checks of `torch.autograd.backward` and the wrappers of
`Optimizer.step`: hooks that nobody set, a label for a profiler that does not run. Inside are the same functions of
torch, so that every bit is the same; where anything differs from torch as it was installed, its public
functions are called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from logging import DEBUG
from types import FunctionType
from typing import Any

import torch
import torch.optim.optimizer as torch_optimizer
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules import module as torch_modules
from torch.optim import SGD, Optimizer
from torch.overrides import has_torch_function

try:
    from torch.autograd.graph import _engine_run_backward
    from torch.autograd.graph import log as _log
    from torch.autograd.variable import Variable

    _around: Any = _engine_run_backward
    _engine: Any = Variable._execution_engine.run_backward
except (ImportError, AttributeError):  # a torch that has it elsewhere
    _around = _engine = _log = None
_BACKWARD = torch.autograd.backward
_squares: Any = getattr(torch._C._nn, "mse_loss", None)  # pyright: ignore[reportAttributeAccessIssue]
_entropy: Any = getattr(torch._C._nn, "cross_entropy_loss", None)  # pyright: ignore[reportAttributeAccessIssue]
_SQUARES, _ENTROPY = F.mse_loss, F.cross_entropy
_set_grad: Any = getattr(torch._C, "_set_grad_enabled", torch.set_grad_enabled)
SUM = 2
"""Torch's number for this reduction."""


def backward(roots: Sequence[Tensor], seeds: Sequence[Tensor]) -> None:
    """`torch.autograd.backward(roots, seeds)`."""
    watched = torch.autograd.backward is not _BACKWARD or has_torch_function(tuple(roots))
    if _engine is None or _log is None or watched:
        torch.autograd.backward(roots, seeds)
        return
    # Around the engine torch writes a log, where somebody reads it, and prepares the threads of other devices.
    plain = roots[0].is_cpu and not _log.isEnabledFor(DEBUG)
    run = _engine if plain else _around
    run(tuple(roots), tuple(seeds), False, False, (), allow_unreachable=True, accumulate_grad=True)


def squares(loss: nn.Module, output: Tensor, target: Tensor) -> Tensor | None:
    """The sum that this loss is the mean of, for tensors of one shape, which torch would broadcast anyway.

    None where the loss has to be called for it, as anybody's else, or one that is listened to.
    """
    watched = F.mse_loss is not _SQUARES or has_torch_function((output, target))
    if _squares is None or watched or type(loss) is not nn.MSELoss or hooked(loss):
        return None
    return _squares(output, target, SUM)


def entropy(loss: nn.Module, output: Tensor, target: Tensor) -> Tensor | None:
    """The same of a cross-entropy."""
    if _entropy is None or F.cross_entropy is not _ENTROPY or type(loss) is not nn.CrossEntropyLoss or hooked(loss):
        return None
    weight = loss.weight
    if has_torch_function((output, target, weight)):
        return None
    return _entropy(output, target, weight, SUM, loss.ignore_index, loss.label_smoothing)


def hooked(module: nn.Module) -> bool:
    """Whether anybody hears when a module is called."""
    own = module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
    every: Any = torch_modules  # `Module.__call__` looks at the same eight
    return bool(
        own
        or every._global_forward_hooks
        or every._global_forward_pre_hooks
        or every._global_backward_hooks
        or every._global_backward_pre_hooks
    )


class Update:
    """`optimizer.step()`, called again and again."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self._outer: Any = type(optimizer).step
        self._inner = _unwrapped(self._outer)

    def __call__(self) -> None:
        """Step once."""
        optimizer = self.optimizer
        if self._inner is None or self._watched(optimizer):
            optimizer.step()
            return
        before = torch.is_grad_enabled()
        _set_grad(False)  # `torch.no_grad()` takes as long as a small update
        try:
            if type(optimizer) is not SGD or not all(map(_descends, optimizer.param_groups)):
                self._inner(optimizer)
                return
            for group in optimizer.param_groups:
                moved: list[Tensor] = []
                gradients: list[Tensor] = []
                for each in group["params"]:
                    if (gradient := each.grad) is not None:
                        moved.append(each)
                        gradients.append(gradient)
                if moved:
                    torch._foreach_add_(moved, gradients, alpha=-group["lr"])  # pyright: ignore[reportPrivateImportUsage]
        finally:
            _set_grad(before)

    def _watched(self, optimizer: Any) -> bool:
        """Whether anything would be left out: hooks, a profiler, a step that a scheduler or a person replaced."""
        return bool(
            optimizer._optimizer_step_pre_hooks
            or optimizer._optimizer_step_post_hooks
            or torch_optimizer._global_optimizer_pre_hooks
            or torch_optimizer._global_optimizer_post_hooks
            or "step" in optimizer.__dict__
            or type(optimizer).step is not self._outer
            or optimizer.defaults["differentiable"]
            or torch.autograd._profiler_enabled()  # pyright: ignore[reportPrivateImportUsage]
        )


def _descends(group: dict[str, Any]) -> bool:
    """Whether a group of SGD moves by `-lr * gradient` and nothing else."""
    more = group["momentum"] or group["weight_decay"] or group["maximize"] or group["fused"]
    return not more and type(group["lr"]) is float


@lru_cache(maxsize=64)
def _unwrapped(step: Any) -> Callable[[Any], Any] | None:
    """The function inside torch's own wrappers of a torch optimizer's step; None where anybody else's is among them."""
    while isinstance(step, FunctionType) and _file(step) == torch_optimizer.__file__ and hasattr(step, "__wrapped__"):
        step = vars(step)["__wrapped__"]
    plain = isinstance(step, FunctionType) and not hasattr(step, "__wrapped__")
    return step if plain and step.__module__.startswith("torch.optim.") else None


def _file(function: FunctionType) -> str:
    return function.__code__.co_filename
