"""Is the step finite? One figure tells; where it is not, find the first thing that went wrong and say it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_

from truestep.core.batch import CPU


def gradient_norms(parameters: Sequence[Tensor]) -> list[Tensor]:
    """The 2-norm of each parameter's gradient as a 0-dim tensor; parameters without a gradient are left out."""
    gradients: list[Tensor] = []
    for parameter in parameters:
        if (gradient := parameter.grad) is not None:
            gradients.append(_values(gradient) if gradient.is_sparse else gradient)
    return list(torch._foreach_norm(gradients)) if gradients else []  # pyright: ignore[reportPrivateImportUsage]


def exact_norm(parameters: Sequence[Tensor]) -> float:
    """The norm of all gradients in float64: squares of float32 overflow above 1.8e19 though the numbers are finite."""
    return math.hypot(*(float(_values(p.grad).double().norm()) for p in parameters if p.grad is not None))


def clip_(parameters: Sequence[Tensor], limit: float, norm: float) -> None:
    """Scale all gradients by `limit / norm` where their norm exceeds the limit, in place, as torch does it."""
    device = parameters[0].device
    clip_grads_with_norm_(parameters, limit, torch.tensor(norm, dtype=_widest(device), device=device))


def read(values: Sequence[float | Tensor], device: torch.device) -> list[float]:
    """Plain numbers from figures that lie on a device: one transfer for all of them."""
    if device == CPU:
        return list(map(float, values))
    wide = _widest(device)
    return torch.stack([torch.as_tensor(value, dtype=wide, device=device) for value in values]).tolist()


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


def _widest(device: torch.device) -> torch.dtype:
    return torch.float32 if device.type == "mps" else torch.float64
