"""What the parameters of a layer gain from each sample, from the layer's input and the gradient of its output.

A weight's gradient from one sample is a sum of outer products over positions (Goodfellow 2015, arXiv:1510.01799; for
convolutions Rochette et al. 2019, arXiv:1912.06015), a lookup's a sum of rows, a bias's or a scale's a plain vector.
The norm follows without the gradients of all samples ever lying in memory at once. A parameter that is used several
times gains the sum over its uses, so uses of one form are joined before the norm is taken: their products count.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.instancenorm import _InstanceNorm


def wide(device: torch.device) -> torch.dtype:
    """The widest floating type of a device, in which squares of float32 do not overflow."""
    return torch.float32 if device.type == "mps" else torch.float64


def squared_norms(values: Tensor) -> Tensor:
    """The squared 2-norm of each row, over all other dimensions: (N, ...) to (N,), in the widest type."""
    values = values.flatten(1)
    norms = torch.linalg.vector_norm(values, dim=1)
    low, high = torch.aminmax(norms)
    # Wide sums take eight times as long, and only squares outside of what float32 can hold need them.
    if values.dtype != wide(values.device) and not 1e-12 < float(low) <= float(high) < math.inf:
        norms = torch.linalg.vector_norm(values, dim=1, dtype=wide(values.device))
    return norms.to(wide(values.device)).square()


@dataclass(frozen=True, slots=True)
class Outer:
    """Per sample and group the gradient `sum_l left[:, l] right[:, l]^T`; left (N, G, O, L), right (N, G, I, L)."""

    left: Tensor
    right: Tensor

    def squares(self) -> Tensor:
        """(N,) squared norms, by whichever is cheaper: the gradient itself, or the products between positions."""
        (outs, length), ins = self.left.shape[2:], self.right.shape[2]
        if length == 1:
            left, right = (squared_norms(side.flatten(0, 1)) for side in (self.left, self.right))
            return (left * right).unflatten(0, self.left.shape[:2]).sum(1)
        if not gram_is_cheaper(outs, ins, length):
            return squared_norms(self.left @ self.right.mT)
        return (_gram(self.left) * _gram(self.right)).sum((1, 2, 3)).clamp(min=0)


def _gram(side: Tensor) -> Tensor:
    """Products between positions, (N, G, I, L) to (N, G, L, L), of each sample in units of its largest entry."""
    largest = side.abs().amax((1, 2, 3), keepdim=True)
    units = side / largest.clamp(min=torch.finfo(side.dtype).tiny)  # whose squares neither overflow nor vanish
    return (units.mT @ units).to(wide(side.device)) * largest.to(wide(side.device)).square()


def gram_is_cheaper(outs: int, ins: int, length: int) -> bool:
    """Whether `length^2 (outs + ins)` products beat `length outs ins`."""
    return length * (outs + ins) < outs * ins


@dataclass(frozen=True, slots=True)
class Lookup:
    """Per sample the gradient that adds `values[t]` to row `index[t]` of a table; index (N, L), values (N, L, D)."""

    index: Tensor
    values: Tensor
    rows: int

    def squares(self) -> Tensor:
        """(N,) squared norms, the entries of each sample added up row by row first."""
        samples = torch.arange(len(self.index), device=self.index.device)
        keys, place = torch.unique(self.index + samples[:, None] * self.rows, return_inverse=True)
        sums = self.values.new_zeros(len(keys), self.values.shape[2])
        squares = squared_norms(sums.index_add_(0, place.flatten(), self.values.flatten(0, 1)))
        return squares.new_zeros(len(samples)).index_add_(0, keys // self.rows, squares)


@dataclass(frozen=True, slots=True)
class Vector:
    """The gradient of each sample itself, (N, P)."""

    values: Tensor

    def squares(self) -> Tensor:
        """(N,) squared norms."""
        return squared_norms(self.values)


Form = Outer | Lookup | Vector


def join(uses: Sequence[Form]) -> Form | None:
    """Several uses of one parameter as one: the sum of their gradients, or None for uses of different forms."""
    if len(uses) == 1:
        return uses[0]
    outers = [use for use in uses if isinstance(use, Outer)]
    if len(outers) == len(uses) and len({use.left.shape[1] for use in outers}) == 1:
        return Outer(torch.cat([use.left for use in outers], 3), torch.cat([use.right for use in outers], 3))
    lookups = [use for use in uses if isinstance(use, Lookup)]
    if len(lookups) == len(uses):
        index, values = [use.index for use in lookups], [use.values for use in lookups]
        return Lookup(torch.cat(index, 1), torch.cat(values, 1), lookups[0].rows)
    vectors = [use.values for use in uses if isinstance(use, Vector)]
    if len(vectors) == len(uses):
        return Vector(torch.stack(vectors).sum(0))
    return None


Formula = Callable[[Any, Tensor, Tensor, int], Form]
"""(module, input, gradient of the output, N) -> form; both tensors hold the rows of a sample one after another."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How one family of layers uses its weight and its bias; `fits(module, input)` tells whether the formulas hold."""

    fits: Callable[[Any, Tensor], bool]
    weight: Formula
    bias: Formula


def _last(module: Any, x: Tensor, g: Tensor, samples: int) -> Vector:
    """A bias along the last dimension."""
    return Vector(g.reshape(samples, -1, g.shape[-1]).sum(1))


def _trailing(module: Any, x: Tensor, g: Tensor, samples: int) -> Vector:
    """A bias over all dimensions that are normalised together."""
    return Vector(g.reshape(samples, -1, math.prod(module.normalized_shape)).sum(1))


def _channels(module: Any, x: Tensor, g: Tensor, samples: int) -> Vector:
    """A bias with one number a channel, which is the second dimension."""
    return Vector(g.reshape(samples, -1, g.shape[1], math.prod(g.shape[2:])).sum((1, 3)))


def _linear(module: nn.Linear, x: Tensor, g: Tensor, samples: int) -> Outer:
    left, right = (side.reshape(samples, 1, -1, side.shape[-1]).mT for side in (g, x))
    return Outer(left, right)


def _convolution(module: _ConvNd, x: Tensor, g: Tensor, samples: int) -> Outer:
    mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
    x = F.pad(x, _pads(module), mode)
    for axis, (size, step, gap) in enumerate(zip(module.kernel_size, module.stride, module.dilation, strict=True)):
        x = x.unfold(axis + 2, gap * (size - 1) + 1, step)[..., ::gap]
    axes = len(module.kernel_size)
    x = x.movedim(tuple(range(-axes, 0)), tuple(range(2, 2 + axes)))  # (N r, C, kernel..., positions...)
    return Outer(*(_by_group(side, samples, module.groups, math.prod(g.shape[2:])) for side in (g, x)))


def _by_group(values: Tensor, samples: int, groups: int, length: int) -> Tensor:
    """(N r, channels, ..., positions...) as (N, groups, channels of a group, r positions); a view where r is 1."""
    values = values.reshape(samples, -1, groups, values.shape[1:].numel() // groups // length, length)
    return values.permute(0, 2, 3, 1, 4).flatten(3)


def _pads(module: _ConvNd) -> list[int]:
    """What to put before and after each axis, the last axis first, as `F.pad` wants it."""
    if isinstance(module.padding, str):
        spans = [gap * (size - 1) for size, gap in zip(module.kernel_size, module.dilation, strict=True)]
        pairs = [(span // 2, span - span // 2) if module.padding == "same" else (0, 0) for span in spans]
    else:
        pairs = [(int(one), int(one)) for one in module.padding]
    return list(chain.from_iterable(reversed(pairs)))


def _lookup(module: nn.Embedding, x: Tensor, g: Tensor, samples: int) -> Lookup:
    index, values = x.reshape(samples, -1), g.reshape(samples, -1, module.embedding_dim)
    if module.padding_idx is not None:
        values = values * (index != module.padding_idx)[..., None]
    return Lookup(index, values, module.num_embeddings)


def _scale(normalised: Callable[[Any, Tensor], Tensor], bias: Formula) -> Formula:
    """A scale gains what the bias beside it would gain from `gradient * normalised input`."""
    return lambda module, x, g, samples: bias(module, x, g * normalised(module, x), samples)


def _rms_normalised(module: nn.RMSNorm, x: Tensor) -> Tensor:
    return F.rms_norm(x, list(module.normalized_shape), None, module.eps)


def _layer_normalised(module: nn.LayerNorm, x: Tensor) -> Tensor:
    return F.layer_norm(x, list(module.normalized_shape), None, None, module.eps)


def _group_normalised(module: nn.GroupNorm, x: Tensor) -> Tensor:
    return F.group_norm(x, module.num_groups, None, None, module.eps)


def _running_normalised(module: Any, x: Tensor) -> Tensor:
    return F.batch_norm(x, module.running_mean, module.running_var, None, None, False, 0.0, module.eps)


def _instance_normalised(module: _InstanceNorm, x: Tensor) -> Tensor:
    if module.track_running_stats and not module.training:
        return _running_normalised(module, x)
    return F.instance_norm(x, eps=module.eps)


def _fits_axes(axes: int) -> Callable[[Any, Tensor], bool]:
    return lambda module, x: x.dim() == axes + 2


def _fits_lookup(module: nn.Embedding, x: Tensor) -> bool:
    return x.dim() > 0 and not module.scale_grad_by_freq  # which divides by how often the whole batch has a row


def _fits_trailing(module: Any, x: Tensor) -> bool:
    return x.dim() > len(module.normalized_shape)


def _fits_batch_norm(module: _BatchNorm, x: Tensor) -> bool:
    return x.dim() > 1 and not module.training and module.running_mean is not None


CONVOLUTIONS = [Kind(_fits_axes(axes), _convolution, _channels) for axes in (1, 2, 3)]
INSTANCES = [Kind(_fits_axes(axes), _scale(_instance_normalised, _channels), _channels) for axes in (1, 2, 3)]
BATCHES = Kind(_fits_batch_norm, _scale(_running_normalised, _channels), _channels)

KINDS: dict[type[nn.Module], Kind] = {
    nn.Linear: Kind(lambda module, x: x.dim() > 1, _linear, _last),
    nn.Conv1d: CONVOLUTIONS[0],
    nn.Conv2d: CONVOLUTIONS[1],
    nn.Conv3d: CONVOLUTIONS[2],
    nn.Embedding: Kind(_fits_lookup, _lookup, _last),
    nn.LayerNorm: Kind(_fits_trailing, _scale(_layer_normalised, _trailing), _trailing),
    nn.RMSNorm: Kind(_fits_trailing, _scale(_rms_normalised, _trailing), _trailing),
    nn.GroupNorm: Kind(lambda module, x: x.dim() > 1, _scale(_group_normalised, _channels), _channels),
    nn.InstanceNorm1d: INSTANCES[0],
    nn.InstanceNorm2d: INSTANCES[1],
    nn.InstanceNorm3d: INSTANCES[2],
    nn.BatchNorm1d: BATCHES,
    nn.BatchNorm2d: BATCHES,
    nn.BatchNorm3d: BATCHES,
}


def kind_of(module: nn.Module, x: Tensor) -> Kind | None:
    """The formulas of a layer that torch defines and nobody changed, for this input, or None."""
    kind = KINDS.get(type(module))
    if kind is None or "forward" in vars(module) or not x.numel() or x.is_complex():
        return None
    return kind if kind.fits(module, x) else None
