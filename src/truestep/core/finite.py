"""Is the step finite? One figure tells; where it is not, find the first thing that went wrong and say it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_


def gradient_norm(parameters: Sequence[Tensor]) -> Tensor | None:
    """The 2-norm of all gradients as one 0-dim tensor, or None where no parameter has a gradient."""
    gradients = [_values(p.grad) for p in parameters if p.grad is not None]
    if not gradients:
        return None
    # As torch.nn.utils.get_total_norm does it, without its grouping by device, which costs more than a small step.
    norms = torch._foreach_norm(gradients)  # pyright: ignore[reportPrivateImportUsage]
    home = norms[0].device
    return torch.linalg.vector_norm(torch.stack([norm.to(home) for norm in norms]))


def exact_norm(parameters: Sequence[Tensor]) -> Tensor:
    """The same in float64: squares of float32 overflow above 1.8e19 though the gradients themselves are finite."""
    squares = [_values(p.grad).cpu().double().square().sum() for p in parameters if p.grad is not None]
    return torch.stack(squares).sum().sqrt()


def clip_(parameters: Sequence[Tensor], limit: float, norm: Tensor) -> None:
    """Scale all gradients by `limit / norm` where their norm exceeds the limit, in place, as torch does it."""
    clip_grads_with_norm_(parameters, limit, norm)


def read(values: Sequence[float | Tensor]) -> list[float]:
    """Plain numbers from figures that may lie on a device: one transfer for all of them."""
    on_device = [value for value in values if isinstance(value, Tensor) and not value.is_cpu]
    if not on_device:
        return [float(value) for value in values]
    wide = torch.float32 if on_device[0].device.type == "mps" else torch.float64
    numbers = iter(torch.stack([value.to(wide) for value in on_device]).tolist())
    return [next(numbers) if isinstance(v, Tensor) and not v.is_cpu else float(v) for v in values]


def diagnose(names: Mapping[int, str], parameters: Sequence[Tensor], terms: Mapping[str, float]) -> str:
    """The first non-finite thing of a step in plain words, or "" where all of it is finite."""
    bad_terms = [f"the loss {name} is {value}" for name, value in terms.items() if not math.isfinite(value)]
    for parameter in parameters:
        if parameter.grad is None:
            continue
        gradient = _values(parameter.grad)
        bad = int((~torch.isfinite(gradient)).sum())
        if bad:
            name = names.get(id(parameter), "a parameter")
            first = f"the gradient of {name} is not finite in {bad} of {gradient.numel()} entries"
            return " and ".join([*bad_terms, first])
    return " and ".join(bad_terms)


def _values(gradient: Tensor | None) -> Tensor:
    assert gradient is not None
    return gradient.coalesce().values() if gradient.is_sparse else gradient
