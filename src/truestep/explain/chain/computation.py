"""One forward pass and one loss of a small model as numbers with names, beside the gradients that autograd found."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from truestep.core import batch
from truestep.core.errors import ConfigError, NonFiniteError
from truestep.core.loss import Loss, mix
from truestep.core.model import Model, device_of, forward
from truestep.core.objective import Objective
from truestep.explain.chain.algebra import Cell, Formula, add, multiply
from truestep.explain.chain.elements import Array
from truestep.explain.chain.naming import Names, alive, readable, settle
from truestep.explain.chain.trace import Trace


@dataclass(frozen=True, slots=True)
class Computation:
    """What was computed, in order, and with which names.

    `forward` and `losses` are the cells with names that were made by the model and by the objective; `shares` says what
    a total is worth in the loss; `gradients` are autograd's own, None where the loss does not reach;
    `epsilon` is that of the coarsest numbers; `layers` tells
    which layer made the cells of a name.
    """

    parameters: Mapping[str, Array]
    forward: list[Cell]
    losses: list[Cell]
    outputs: frozenset[Cell]
    loss: Cell
    shares: Mapping[Cell, Formula]
    gradients: Mapping[str, Tensor | None]
    epsilon: float
    layers: Mapping[str, str]


def record(
    model: Model, objective: Objective, inputs: Any, targets: Any, parameters: Mapping[str, Tensor]
) -> Computation:
    """Run the model and the objective once and name what they computed; buffers and random state end as they were."""
    trace, names, layers = Trace(), Names("loss", "lr", "output"), dict[str, str]()
    held = {name: trace.leaf(tensor, names.claim(readable(name, model)), 0) for name, tensor in parameters.items()}
    for stem, tree in (("target", targets), ("x", inputs)):
        for wanted, tensor in _tensors(stem, tree):
            trace.leaf(tensor, names.claim(wanted), 1)
    with torch.enable_grad(), _untouched(model, inputs):
        with _labels(model, trace, names, layers), trace:
            output = forward(model, inputs)
        outputs = _outputs(output, trace, layers)
        split = len(trace.made)
        with trace:
            parts = objective.parts(output, targets)
        loss = mix(parts, objective.weights).mean
        gradients = _gradients(loss, parameters, parts)
        trace.measure()
    total, shares = _loss(float(loss.detach()), parts, objective.weights, trace, names)
    computed = alive(trace.made, [total, *outputs])
    settle(computed, names)
    first = set(trace.made[:split])
    written = [cell for cell in computed if cell.stem]
    _check_finite([*written, total])
    own, rest = [cell for cell in written if cell in first], [cell for cell in written if cell not in first]
    return Computation(held, own, rest, frozenset(outputs), total, shares, gradients, trace.epsilon, layers)


def label(cell: Cell) -> str:
    """The name of a cell in plain text."""
    return f"{cell.stem}[{','.join(map(str, cell.index))}]" if cell.index else cell.stem


def _tensors(stem: str, tree: Any) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a batch that hold real numbers, each with a name that is made of its path."""
    for path, leaf in batch.leaves(tree, stem):
        if isinstance(leaf, Tensor) and leaf.is_floating_point():
            yield re.sub(r"\W+", "_", path).strip("_"), leaf


def _outputs(output: Any, trace: Trace, layers: dict[str, str]) -> list[Cell]:
    found: list[Cell] = []
    for stem, tensor in _tensors("output", output):
        cells, names = trace.output(tensor, stem)
        found.extend(cells.flat)
        for name in names & layers.keys():
            layers[stem] = f"{name}: {layers[name]}"
    return found


def _loss(
    value: float, parts: Mapping[str, Loss], weights: Mapping[str, float], trace: Trace, names: Names
) -> tuple[Cell, dict[Cell, Formula]]:
    """`loss = sum_k λ_k total_k / count_k`, and the factor of each total; a term that counted nothing is left out."""
    terms, shares = [], dict[Cell, Formula]()
    for name, part in parts.items():
        if not float(part.count):
            continue
        suffix = f"_{name}" if len(parts) > 1 else ""
        total: Cell = trace.read(part.total).item()
        factor = [] if weights[name] == 1 else [Cell(weights[name], stem=names.claim(f"λ{suffix}"))]
        by = [] if part.reduction == "sum" else [Cell(float(part.count), stem=names.claim(f"count{suffix}"))]
        share = multiply(*factor, by=by)
        if total.group is not None and not total.stem:
            total.stem = names.claim(f"total{suffix}")
            shares[total] = share
        terms.append(multiply(*factor, total, by=by))
    return Cell(value, add(*terms), grad=True, stem="loss"), shares


def _gradients(loss: Tensor, parameters: Mapping[str, Tensor], parts: Mapping[str, Loss]) -> dict[str, Tensor | None]:
    moved = {name: tensor for name, tensor in parameters.items() if tensor.requires_grad}
    if not moved or not loss.requires_grad:
        raise ConfigError(
            f"the loss {', '.join(parts)} does not depend on the parameters: look for detach(), .item(), .numpy(), "
            "no_grad() or frozen parameters on the way to it."
        )
    found = torch.autograd.grad(loss, list(moved.values()), allow_unused=True)
    return dict(zip(moved, found, strict=True))


def _check_finite(written: list[Cell]) -> None:
    for cell in written:
        if not math.isfinite(cell.value):
            raise NonFiniteError(
                f"{label(cell)} is {cell.value}: a step is written out where all its numbers are finite; "
                "look at the weights and the inputs first."
            )


@contextmanager
def _untouched(model: Model, inputs: Any) -> Iterator[None]:
    """Buffers and random state end as they were."""
    buffers = list(model.buffers()) if isinstance(model, nn.Module) else []
    before = [buffer.clone() for buffer in buffers]
    device = device_of(model, inputs)
    devices = [device] if device.type not in ("cpu", "mps") else []
    with torch.random.fork_rng(devices, device_type=device.type if devices else "cuda"):
        try:
            yield
        finally:
            with torch.no_grad():
                for buffer, value in zip(buffers, before, strict=True):
                    buffer.copy_(value)


@contextmanager
def _labels(model: Model, trace: Trace, names: Names, layers: dict[str, str]) -> Iterator[None]:
    """Name what each layer computes after the layer, as soon as it has: the next one may write over it."""
    handles = []
    if isinstance(model, nn.Module):
        for path, module in model.named_modules():
            if path and not list(module.children()):
                handles.append(module.register_forward_hook(_labeller(readable(path, model), trace, names, layers)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _labeller(path: str, trace: Trace, names: Names, layers: dict[str, str]) -> Callable[[nn.Module, Any, Any], None]:
    def hook(module: nn.Module, inputs: Any, output: Any) -> None:
        for stem, tensor in _tensors(path, output):
            name = names.claim(stem)
            trace.label(tensor, name)
            layers[name] = " ".join(repr(module).split())

    return hook
