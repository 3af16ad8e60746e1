"""What the modules of a model did during a step: their activations, dead and saturated units, and gradients."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from truestep.core.batch import leaves
from truestep.core.model import Model
from truestep.explain.formulas import wide

NEAR = 0.01
"""How near to its limits a sigmoid or tanh counts as saturated."""


@dataclass(frozen=True, slots=True)
class ModuleRecord:
    """One call of one module, in plain numbers over all entries of its output.

    `call` counts the calls of this module from 1; `std` divides by the number of entries; `largest` is the largest
    absolute value; `dead` the share of units (entries of the output of one sample) of a ReLU or ReLU6 that are zero for
    every sample of the batch; `saturated` the share of entries of a sigmoid or tanh within 0.01 of a limit, or of their
    hard forms and ReLU6 at one; both None for other modules. `gradient` is the 2-norm of the last gradient that reached
    the output, None where none did, or where torch forgot it, as it does for a view that is overwritten. Where entries
    are NaN or infinite, so are the figures that they enter.
    """

    name: str
    type: str
    call: int
    shape: tuple[int, ...]
    mean: float
    std: float
    largest: float
    dead: float | None
    saturated: float | None
    nans: int
    infinities: int
    gradient: float | None = None

    def named(self, name: str) -> ModuleRecord:
        """The same under another name."""
        return replace(self, name=name)


class ModuleWatch:
    """Watches what a model does inside a `with` block; afterwards `records` has one entry a call, in forward order.

    Watched are the modules without modules inside, and those with parameters of their own; a function that is called
    without a module, such as `F.relu`, is not seen. Outputs, random state and modes stay as they are, no tensor is kept
    alive, and every hook is gone at the end of the block, also where it fails. Of an output of several tensors the
    first is watched. Calls within `torch.func.vmap`, which have no values of their own, are left out; a model that is a
    plain function has no modules.

    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    >>> with ModuleWatch(model) as watch:
    ...     model(torch.ones(4, 2)).sum().backward()
    >>> [(record.name, record.type) for record in watch.records]
    [('0', 'Linear'), ('1', 'ReLU')]
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.records: list[ModuleRecord] = []
        self._calls = Counter[str]()
        self._hooks: list[RemovableHandle] = []

    def __enter__(self) -> ModuleWatch:
        self.records, self._calls = [], Counter()
        for name, module in self.model.named_modules() if isinstance(self.model, nn.Module) else ():
            if not any(True for _ in module.children()) or any(True for _ in module.parameters(recurse=False)):
                self._hooks.append(module.register_forward_hook(_Note(self, name)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._hooks:
            self._hooks.pop().remove()

    def seen(self, name: str, module: nn.Module, output: Any) -> None:
        """Note one call of a module."""
        found = next((leaf for _, leaf in leaves(output) if isinstance(leaf, Tensor)), None)
        if found is None:
            return
        try:
            self.records.append(_record(name, module, self._calls[name] + 1, found))
        except RuntimeError:  # within vmap a tensor cannot be read
            return
        self._calls[name] += 1
        if found.requires_grad:
            self._hooks.append(found.register_hook(_Reached(self, len(self.records) - 1)))


@dataclass(frozen=True, slots=True)
class _Note:
    """Forward hook of one module."""

    watch: ModuleWatch
    name: str

    def __call__(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        self.watch.seen(self.name, module, output)


@dataclass(frozen=True, slots=True)
class _Reached:
    """Gradient hook of one output: it holds the place of its record, not the tensor."""

    watch: ModuleWatch
    place: int

    def __call__(self, gradient: Tensor) -> None:
        records = self.watch.records
        records[self.place] = replace(records[self.place], gradient=float(_real(gradient).norm()))


@torch.no_grad()
def _record(name: str, module: nn.Module, call: int, output: Tensor) -> ModuleRecord:
    values = _real(output)
    if not values.numel():
        nan = math.nan
        return ModuleRecord(name, type(module).__name__, call, tuple(output.shape), nan, nan, nan, None, None, 0, 0)
    std, mean = torch.std_mean(values, correction=0)
    shares = [_dead(module, values), _saturated(module, values)]
    figures = [mean, std, values.abs().max(), values.isnan().sum(), values.isinf().sum()]
    figures += [share.sum() / share.numel() for share in shares if share is not None]
    read = torch.stack([figure.to(values.dtype) for figure in figures]).tolist()  # one transfer from a device
    told = iter(read[5:])
    dead, saturated = (None if share is None else next(told) for share in shares)
    return ModuleRecord(
        name=name,
        type=type(module).__name__,
        call=call,
        shape=tuple(output.shape),
        mean=read[0],
        std=read[1],
        largest=read[2],
        dead=dead,
        saturated=saturated,
        nans=int(read[3]),
        infinities=int(read[4]),
    )


def _real(values: Tensor) -> Tensor:
    """Any numbers as real ones of the widest type."""
    values = values.detach()
    return (torch.view_as_real(values) if values.is_complex() else values).to(wide(values.device))


def _dead(module: nn.Module, values: Tensor) -> Tensor | None:
    """Which units are zero for every sample."""
    if not isinstance(module, nn.ReLU | nn.ReLU6) or not values.dim():
        return None
    return (values == 0).all(0)


def _saturated(module: nn.Module, values: Tensor) -> Tensor | None:
    """Which entries are at a limit of what the module can say."""
    if isinstance(module, nn.Sigmoid):
        at_limit = (values < NEAR) | (values > 1 - NEAR)
    elif isinstance(module, nn.Tanh):
        at_limit = values.abs() > 1 - NEAR
    elif isinstance(module, nn.Hardsigmoid):
        at_limit = (values == 0) | (values == 1)
    elif isinstance(module, nn.ReLU6):  # a Hardtanh to torch, but at zero its units are off, as those of a ReLU
        at_limit = values == module.max_val
    elif isinstance(module, nn.Hardtanh):
        at_limit = (values == module.min_val) | (values == module.max_val)
    else:
        return None
    return at_limit
