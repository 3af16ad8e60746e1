"""Each sample on its own, as a batch of one: by `torch.func.vmap` where it can follow the code, else one after another.

Slow beside one pass over the batch, but it holds for any model and any loss.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from truestep.core.batch import Batch, change, leaves, size, take
from truestep.core.errors import DataError
from truestep.core.model import Model
from truestep.explain.formulas import wide

REFUSED = (RuntimeError, ValueError, TypeError, NotImplementedError)
"""What vmap raises for code that it cannot follow: `.item()`, branches on values, layers without a batching rule."""

ROOM = 2**25  # numbers held at a time, 128 MiB in float32


@dataclass(frozen=True, slots=True)
class Case:
    """What each sample is worth: `value(model, inputs, targets)`, a 0-dim tensor for a batch of one."""

    model: Model
    value: Callable[[Model, Any, Any], Tensor]
    batch: Batch
    parameters: Sequence[Tensor]


def by_sample(function: Callable[..., Tensor], *trees: Any) -> Tensor:
    """`function` of every sample alone, (N,), with the graph that made it."""
    samples = size(trees, None)
    with _quiet():
        try:
            return _mapped(function, trees)(*_tensors(trees))
        except REFUSED:
            return torch.stack([function(*take((trees, None), slice(i, i + 1))[0]) for i in range(samples)])


def mapped_norms(case: Case) -> tuple[Tensor, Tensor] | None:
    """(values, gradient norms) of every sample by vmap, in chunks, or None where vmap cannot do it."""
    named = dict(case.model.named_parameters()) if isinstance(case.model, nn.Module) else {}
    held = {id(parameter) for parameter in case.parameters}
    fixed = {name: parameter.detach() for name, parameter in named.items()}
    moved = {name: fixed[name] for name, parameter in named.items() if id(parameter) in held}
    if len(moved) < len(held):  # a plain function, or a loss with weights of its own
        return None

    def worth(parameters: dict[str, Tensor], batch: Batch) -> tuple[Tensor, Tensor]:
        value = _worth(case, fixed | parameters, batch)
        return value, value.detach()

    def figures(inputs: Any, targets: Any) -> Tensor:
        gradients, value = grad(worth, has_aux=True)(moved, (inputs, targets))
        return torch.stack([value.to(wide(value.device)), _norm(gradients.values(), value)])

    chunk = max(1, ROOM // sum(parameter.numel() for parameter in moved.values()))
    columns = [tensor.split(chunk) for tensor in _tensors(case.batch)]
    with _quiet():
        try:
            if _worth(case, fixed, take(case.batch, slice(0, 1))).requires_grad:
                return None  # weights act past the model, where nobody can put others in their place
            found = torch.cat([_mapped(figures, case.batch)(*parts) for parts in zip(*columns, strict=True)])
        except REFUSED:
            return None
    return found[:, 0], found[:, 1]


def _worth(case: Case, parameters: dict[str, Tensor], batch: Batch) -> Tensor:
    """The value with these parameters in the place of the model's own."""
    model: Any = case.model
    return case.value(lambda *args, **kwargs: functional_call(model, parameters, args, kwargs), *batch)


def looped_norms(case: Case) -> tuple[Tensor, Tensor]:
    """(values, gradient norms) of every sample by one forward and backward pass each."""
    values, norms = [], []
    for i in range(size(*case.batch)):
        value = case.value(case.model, *take(case.batch, slice(i, i + 1)))
        values.append(value.detach().to(wide(value.device)))
        reached = value.requires_grad and case.parameters
        gradients = torch.autograd.grad(value, list(case.parameters), allow_unused=True) if reached else ()
        norms.append(_norm(gradients, values[-1]))
    return torch.stack(values), torch.stack(norms)


def _norm(gradients: Iterable[Tensor | None], like: Tensor) -> Tensor:
    """The 2-norm over all gradients, in a type in which squares do not overflow."""
    plain = [one.to_dense() if one.is_sparse else one for one in gradients if one is not None]
    norms = [torch.linalg.vector_norm(one.to(wide(one.device))) for one in plain]
    return torch.linalg.vector_norm(torch.stack([torch.zeros_like(like, dtype=wide(like.device)), *norms]))


def _mapped(function: Callable[..., Tensor], trees: Any) -> Callable[..., Tensor]:
    """The vmap of a function of trees of tensors, each sample of which arrives as a batch of one."""

    def one(*rows: Tensor) -> Tensor:
        left = iter(rows)
        return function(*change(trees, lambda _: next(left)[None]))

    return vmap(one, randomness="different")


def _tensors(trees: Any) -> list[Tensor]:
    found = [leaf for _, leaf in leaves(trees)]
    for leaf in found:
        if not isinstance(leaf, Tensor):
            raise DataError(f"a batch with {type(leaf).__name__} in it cannot be taken sample by sample.")
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings: those of the model and the losses came with the batch, and those of vmap are about its speed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
