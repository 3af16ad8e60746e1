"""What runs through a chain of links: the update so far, as one tensor or as a sum of named causes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, Self

import torch
from torch import Tensor

Number = float | Tensor
"""A hyper-parameter: a number, or a tensor that broadcasts into the parameter; a 0-dim tensor counts as a number.

Give tensors of more dimensions in float64: as numbers, they are brought to the parameter's dtype where they meet it.
"""


class Flow(Protocol):
    """The direction `d` in which a rule is about to step; the parameter `p` becomes `kept * p - d`.

    A factor and a division may wait until `d` meets another tensor, since torch computes that sum, product and division
    in one operation: `d = tensor / over * top / bottom`. All operations return a new flow and change nothing.
    """

    def total(self) -> Tensor:
        """`d` as one tensor, in the dtype of the parameter."""
        ...

    def begin(self, cause: str, tensor: Tensor) -> Self:
        """Another flow, of this cause alone: the start of a moving average."""
        ...

    def add(self, cause: str, tensor: Tensor, alpha: Number = 1.0) -> Self:
        """`d + alpha * tensor`, told as this cause."""
        ...

    def plus(self, other: Self, alpha: Number = 1.0) -> Self:
        """`d + alpha * other`."""
        ...

    def toward(self, other: Self, weight: Number) -> Self:
        """`d + weight * (other - d)`."""
        ...

    def times(self, factor: Number, cause: str = "") -> Self:
        """`factor * d`, computed here and now; with a cause, the difference that it makes is told as that cause."""
        ...

    def wait(self, over: Tensor | None = None, top: Number = 1.0, bottom: Number = 1.0) -> Self:
        """`d / over * top / bottom`, computed where the flow meets another tensor; `over` at most once in a chain."""
        ...

    def beside(self, other: Self) -> Self:
        """`d + other`, each with its own factor that waits."""
        ...

    def keep(self, factor: Number) -> Self:
        """The part of the parameter that is kept, told as decay."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """A flow that forgets its causes: one tensor, moved by torch's own operations in torch's own order."""

    tensor: Tensor
    over: Tensor | None = None
    top: Number = 1.0
    bottom: Number = 1.0
    kept: Number = 1.0
    second: Merged | None = None

    def total(self) -> Tensor:
        """See `Flow`."""
        found = self.tensor if _is_one(self.bottom) else self.tensor / cast(self.bottom, self.tensor)
        found = scale(found, self.top)
        if self.over is not None:
            found = found / self.over
        return found if self.second is None else found + self.second.total()

    def begin(self, cause: str, tensor: Tensor) -> Merged:
        """See `Flow`."""
        return Merged(tensor, kept=self.kept)

    def add(self, cause: str, tensor: Tensor, alpha: Number = 1.0) -> Merged:
        """See `Flow`."""
        return self.begin("", axpy(self.total(), tensor, alpha))

    def plus(self, other: Merged, alpha: Number = 1.0) -> Merged:
        """See `Flow`."""
        return self.begin("", other.added_to(self.total(), alpha))

    def toward(self, other: Merged, weight: Number) -> Merged:
        """See `Flow`."""
        start, end = self.total(), other.total()
        return self.begin("", torch.lerp(start, end, cast(weight, start)))

    def times(self, factor: Number, cause: str = "") -> Merged:
        """See `Flow`."""
        return self.begin("", scale(self.total(), factor))

    def wait(self, over: Tensor | None = None, top: Number = 1.0, bottom: Number = 1.0) -> Merged:
        """See `Flow`."""
        second = self.second and self.second.wait(over, top, bottom)
        over = self.over if over is None else over
        return Merged(self.tensor, over, self.top * top, self.bottom * bottom, self.kept, second)

    def beside(self, other: Merged) -> Merged:
        """See `Flow`."""
        return replace(self, second=other)

    def keep(self, factor: Number) -> Merged:
        """See `Flow`."""
        return replace(self, kept=self.kept * factor)

    def added_to(self, tensor: Tensor, alpha: Number) -> Tensor:
        """`tensor + alpha * d`, the factor and the division that waited in one operation with the sum."""
        factor = alpha * self.top / self.bottom
        if self.over is None:
            tensor = axpy(tensor, self.tensor, factor)
        else:
            tensor = addcdiv(tensor, self.tensor, self.over, factor)
        return tensor if self.second is None else self.second.added_to(tensor, alpha)

    def moved(self, param: Tensor) -> Tensor:
        """`kept * param - d`: where the rule puts the parameter."""
        return self.added_to(scale(param, self.kept), -1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Itemised:
    """A flow that remembers its causes: beside the merged one, cause -> float64 tensor, linear in every operation.

    What is not linear (squares, roots, maxima) is taken from the merged flow, so that all causes share one denominator
    and the causes differ from what the rule did by rounding alone.
    """

    merged: Merged
    causes: Mapping[str, Tensor]

    def total(self) -> Tensor:
        """See `Flow`."""
        return self.merged.total()

    def begin(self, cause: str, tensor: Tensor) -> Itemised:
        """See `Flow`."""
        return Itemised(self.merged.begin(cause, tensor), {cause: wide(tensor)})

    def add(self, cause: str, tensor: Tensor, alpha: Number = 1.0) -> Itemised:
        """See `Flow`."""
        more = {cause: wide(tensor)}
        return Itemised(self.merged.add(cause, tensor, alpha), _mixed(self.causes, 1.0, more, alpha))

    def plus(self, other: Itemised, alpha: Number = 1.0) -> Itemised:
        """See `Flow`."""
        return Itemised(self.merged.plus(other.merged, alpha), _mixed(self.causes, 1.0, other.causes, alpha))

    def toward(self, other: Itemised, weight: Number) -> Itemised:
        """See `Flow`."""
        causes = _mixed(self.causes, 1 - _exact(weight), other.causes, weight)
        return Itemised(self.merged.toward(other.merged, weight), causes)

    def times(self, factor: Number, cause: str = "") -> Itemised:
        """See `Flow`."""
        merged = self.merged.times(factor, cause)
        if not cause:
            return Itemised(merged, _mixed(self.causes, factor, {}, 1.0))
        return Itemised(merged, _mixed(self.causes, 1.0, {cause: _sum(self.causes)}, _exact(factor) - 1))

    def wait(self, over: Tensor | None = None, top: Number = 1.0, bottom: Number = 1.0) -> Itemised:
        """See `Flow`."""
        causes = self.causes if over is None else {cause: each / wide(over) for cause, each in self.causes.items()}
        return Itemised(self.merged.wait(over, top, bottom), _mixed(causes, _exact(top) / _exact(bottom), {}, 1.0))

    def beside(self, other: Itemised) -> Itemised:
        """See `Flow`."""
        return Itemised(self.merged.beside(other.merged), _mixed(self.causes, 1.0, other.causes, 1.0))

    def keep(self, factor: Number) -> Itemised:
        """See `Flow`."""
        return Itemised(self.merged.keep(factor), self.causes)

    def moves(self, param: Tensor) -> dict[str, Tensor]:
        """Cause -> the change of the parameter that it makes, float64; the rounding is still to be told."""
        found = _mixed(self.causes, -1.0, {}, 1.0)
        if _is_one(self.merged.kept):
            return found
        return _mixed(found, 1.0, {"decay": wide(param)}, _exact(self.merged.kept) - 1)


def with_rounding(moves: Mapping[str, Tensor], change: Tensor) -> dict[str, Tensor]:
    """The moves and "rounding", what is left of the change: added in their order, they give the change exactly.

    A plain remainder in float64 would miss by a last bit now and then. So the moves are first put on one grid, element
    by element: multiples of 2^-51 of the power of two above their sizes, on which float64 adds without rounding. Where
    they cancel out to less than the grid can tell, the largest takes that difference, and all that is left is rounding.
    """
    parts = torch.stack(list(moves.values()))
    sizes = parts.abs().sum(0)
    power = sizes / torch.frexp(sizes).mantissa
    # A number of this size has no bits below the grid, so adding it and taking it off again rounds to the grid.
    anchor = torch.nan_to_num(3 * power, nan=0.0, posinf=0.0)
    parts = (parts + anchor) - anchor
    told = parts.sum(0)
    missed = (told + (change - told) != change) & change.isfinite()
    if missed.any():
        largest = parts.abs().argmax(0, keepdim=True)
        taken = torch.where(missed, told, 0.0)
        parts, told = parts.scatter_add(0, largest, -taken.unsqueeze(0)), told - taken
    return {**dict(zip(moves, parts, strict=True)), "rounding": change - told}


def cast(value: Number, like: Tensor) -> Number:
    """A number as torch's operations take it: a Python number, or a tensor in the dtype and place of `like`."""
    if not isinstance(value, Tensor):
        return value
    return value.item() if value.dim() == 0 else value.to(like)


def scale(tensor: Tensor, factor: Number) -> Tensor:
    """`factor * tensor`, rounded once."""
    if isinstance(factor, Tensor) and factor.dim() == 0:  # between two 0-dim tensors torch takes the wider dtype
        return (tensor * factor.to(tensor.device)).to(tensor.dtype)
    return tensor if _is_one(factor) else tensor * cast(factor, tensor)


def axpy(tensor: Tensor, other: Tensor, alpha: Number) -> Tensor:
    """`tensor + alpha * other`, as torch's optimizers compute it where alpha is a number."""
    alpha = cast(alpha, tensor)
    if isinstance(alpha, Tensor):
        return torch.addcmul(tensor, other, alpha)
    return torch.add(tensor, other, alpha=alpha)


def addcmul(tensor: Tensor, a: Tensor, b: Tensor, alpha: Number) -> Tensor:
    """`tensor + alpha * a * b`, as torch's optimizers compute it where alpha is a number."""
    alpha = cast(alpha, tensor)
    if isinstance(alpha, Tensor):
        return torch.addcmul(tensor, a * alpha, b)
    return torch.addcmul(tensor, a, b, value=alpha)


def addcdiv(tensor: Tensor, a: Tensor, b: Tensor, alpha: Number) -> Tensor:
    """`tensor + alpha * a / b`, as torch's optimizers compute it where alpha is a number."""
    alpha = cast(alpha, tensor)
    if isinstance(alpha, Tensor):
        return torch.addcdiv(tensor, a * alpha, b)
    return torch.addcdiv(tensor, a, b, value=alpha)


def wide(tensor: Tensor) -> Tensor:
    """A tensor in float64, on the CPU where its own device has none."""
    return (tensor.cpu() if tensor.device.type == "mps" else tensor).double()


def _exact(value: Number) -> Number:
    return wide(value) if isinstance(value, Tensor) else value


def _is_one(value: Number) -> bool:
    return not isinstance(value, Tensor) and value == 1


def _mixed(a: Mapping[str, Tensor], alpha: Number, b: Mapping[str, Tensor], beta: Number) -> dict[str, Tensor]:
    """`alpha * a + beta * b`, cause by cause."""
    found = {cause: scale(each, _exact(alpha)) for cause, each in a.items()}
    for cause, each in b.items():
        more = scale(each, _exact(beta))
        found[cause] = found[cause] + more if cause in found else more
    return found


def _sum(causes: Mapping[str, Tensor]) -> Tensor:
    first, *others = causes.values()
    for each in others:
        first = first + each
    return first
