"""What is kept of a tensor: who it is, how it looks, a digest of its numbers; never the tensor itself."""

from __future__ import annotations

import inspect
import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy
import torch
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor as is_wrapped
from torch._C._functorch import peek_interpreter_stack
from torch.nn.parameter import Parameter, is_lazy

from truestep.check.numbers import Numbers

ROWS, UNITS = 4096, 1024  # rows of a batch, and units of a layer, that are told apart
LARGEST = 1 << 24  # elements of what is digested at all
SMALL = 1 << 16  # elements of what is summed in float64
KEPT = 1024  # digests kept for bits that come again: a step's new weights are the next one's old ones
FEW = 1 << 12  # bytes that are digested at once
SINGLE = 64  # numbers that are looked at one by one
NEAR = 0.01  # of the way between two bounds, that counts as one of them

GRAD: Any = inspect.getattr_static(Tensor, "grad")
"""What gives a tensor its gradient, whatever stands under that name while we watch."""

_kept: dict[Any, Any] = {}


class Values(NamedTuple):
    """The numbers of a tensor in short: least, greatest, mean; whether all are finite, and whole numbers.

    `sums` are the least and the greatest sum over dimension 1 (the classes of an (N, C, ...) tensor), None below two
    dimensions. `two`: there are many numbers, and each is the least or the greatest, as in a mask or a drawing.
    """

    low: float
    high: float
    mean: float
    finite: bool
    whole: bool
    sums: tuple[float, float] | None = None
    two: bool = False


class Digest(NamedTuple):
    """A tensor's bits (`mark`: equal exactly when the bits are), its Euclidean norm and its sum (both in float64)."""

    mark: int
    norm: float
    total: float


class Seen(NamedTuple):
    """A tensor as it was at one moment.

    `number` is the same for the same tensor object, `storage` for tensors that share memory; numbers are never used
    again. `maker` is the name of the autograd node that made it, empty for a leaf. `values` and `rows` (a digest of
    each row along dimension 0) only where the event says so.
    """

    number: int
    storage: int
    shape: tuple[int, ...]
    dtype: str
    needs_grad: bool
    leaf: bool
    version: int
    maker: str = ""
    values: Values | None = None
    rows: tuple[int, ...] = ()


def plain(tensor: Any) -> bool:
    """Whether this is a tensor whose numbers can be read: no wrapper of vmap or grad, not fake, not meta."""
    ordinary = type(tensor) is Tensor or type(tensor) is Parameter
    if not (ordinary or (isinstance(tensor, Tensor) and not is_lazy(tensor))) or tensor.is_meta:
        return False
    if peek_interpreter_stack() is not None:  # inside vmap, grad or jvp every result is wrapped anew
        return False
    return not is_wrapped(tensor) and tensor.layout is torch.strided


def seen(tensor: Tensor, numbers: Numbers, look: bool = False, rows: bool = False) -> Seen:
    """A tensor as it is now; with `look` its values, with `rows` digests of its rows."""
    simple = plain(tensor)
    try:
        node = tensor.grad_fn
    except RuntimeError:  # a view made under no_grad whose base was changed: whoever uses it will be told
        node = None
    try:
        version = tensor._version
    except RuntimeError:  # made in inference mode
        version = 0
    return Seen(
        numbers.of(tensor),
        numbers.storage(tensor) if simple else 0,
        tuple(tensor.shape) if simple or not is_lazy(tensor) else (),
        named(tensor.dtype),
        tensor.requires_grad,
        node is None,
        version,
        "" if node is None else node.name(),
        values(tensor) if look and simple else None,
        row_digests(tensor) if rows and simple else (),
    )


@cache
def named(dtype: torch.dtype) -> str:
    """The name of a data type, "float32"."""
    return str(dtype).removeprefix("torch.")


def parts(value: Any, depth: int = 3) -> Iterator[Any]:
    """A value and what its lists, tuples and dicts hold."""
    yield value
    if isinstance(value, dict | list | tuple) and depth:
        for each in list(value.values() if isinstance(value, dict) else value)[:100]:
            yield from parts(each, depth - 1)


def tensors(value: Any, depth: int = 3) -> Iterator[Tensor]:
    """The tensors among them."""
    return (each for each in parts(value, depth) if isinstance(each, Tensor))


def given(value: Any) -> tuple[Tensor, ...]:
    """The same as a tuple; at once for a tensor and for a short tuple of them, as calls nearly always have."""
    if isinstance(value, Tensor):
        return (value,)
    if type(value) is tuple and len(value) < 5 and all(isinstance(each, Tensor) for each in value):
        return value
    return tuple(tensors(value))


def values(tensor: Tensor) -> Values | None:
    """The numbers in short; None for an empty, complex or very large tensor. Means of large ones are as they come."""
    held = tensor.detach()
    if not 0 < held.numel() <= LARGEST or held.is_complex() or held.is_quantized:
        return None
    if held.numel() <= SINGLE and held.dim() < 3:
        return _of_numbers([float(each) for each in held.reshape(-1).tolist()], held.shape[1:])
    small = held.numel() <= SMALL or not held.is_floating_point() or held.element_size() < 4
    wide = held.double() if small else held
    low, high = (float(each) for each in torch.aminmax(wide))
    ends = torch.aminmax(wide.sum(1)) if wide.dim() >= 2 else None
    sums = None if ends is None else (float(ends.min), float(ends.max))
    finite = math.isfinite(low) and math.isfinite(high)  # both are NaN where any element is
    return Values(low, high, float(wide.mean()), finite, _whole(held), sums, _two(held, low, high))


def _of_numbers(numbers: list[float], width: Sequence[int]) -> Values:
    finite = all(map(math.isfinite, numbers))
    low, high = _ends(numbers)
    rows = [sum(numbers[at : at + each]) for each in width for at in range(0, len(numbers), each)]
    whole = all(number.is_integer() or math.isinf(number) for number in numbers)
    return Values(low, high, sum(numbers) / len(numbers), finite, whole, _ends(rows) if rows else None)


def _ends(numbers: list[float]) -> tuple[float, float]:
    """The least and the greatest; NaN where any is."""
    return (math.nan, math.nan) if any(map(math.isnan, numbers)) else (min(numbers), max(numbers))


def _whole(held: Tensor) -> bool:
    """Whether all are whole numbers; the first few nearly always say no."""
    if not held.is_floating_point():
        return True
    few = held.flatten()[:64].tolist() if held.is_contiguous() else []
    first = all(number.is_integer() or math.isinf(number) for number in few)
    return first and (0 < held.numel() <= len(few) or bool((held == held.round()).all()))


def _two(held: Tensor, low: float, high: float) -> bool:
    few = held.flatten()[:64].tolist() if held.is_contiguous() else []  # they nearly always say no
    return all(number in (low, high) for number in few) and bool(((held == low) | (held == high)).all())


def kept(target: Any, ignored: int) -> int | None:
    """How many targets a loss counts; None where they are no classes or cannot be read."""
    if not plain(target) or target.is_floating_point() or target.numel() > LARGEST:
        return None
    return int((target.detach() != ignored).sum())


def units(tensor: Any) -> tuple[int, int, int] | None:
    """How many units there are (along dimension 1, or the last of three), and which are below zero for all samples
    and which above it, bit by bit in two whole numbers.
    """
    if not plain(tensor) or tensor.dim() < 2 or not 0 < tensor.numel() <= SMALL or not tensor.is_floating_point():
        return None
    own = 2 if tensor.dim() == 3 else 1
    size = tensor.shape[own]
    if not 1 < size <= UNITS:
        return None
    least, most = torch.aminmax(tensor.detach().movedim(own, 0).reshape(size, -1), dim=1)
    off, on = (numpy.packbits(each.cpu().numpy()).tobytes() for each in (most < 0, least > 0))
    return size, int.from_bytes(off), int.from_bytes(on)


def alike(tensor: Tensor) -> tuple[int, ...]:
    """Those of the first two dimensions along which all slices hold the same numbers."""
    if not plain(tensor) or tensor.dim() < 2 or not 0 < tensor.numel() <= LARGEST:
        return ()
    held = tensor.detach()
    return tuple(dim for dim in (0, 1) if _repeats(held, dim))


def _repeats(held: Tensor, dim: int) -> bool:
    """Whether the slices are copies of the first one; the second nearly always says no."""
    first = held.select(dim, 0)
    if held.shape[dim] < 2 or not torch.equal(first, held.select(dim, 1)):
        return False
    return bool((held == first.unsqueeze(dim)).all())


def pressed(tensor: Any, low: float, high: float) -> float | None:
    """The share of numbers that stand within a hundredth of a bound; None where they are not looked at."""
    if not plain(tensor) or tensor.dim() < 2 or not 0 < tensor.numel() <= SMALL or not tensor.is_floating_point():
        return None
    middle, most = (low + high) / 2, (high - low) * (0.5 - NEAR)
    return float(((tensor.detach() - middle).abs() > most).double().mean())


def digest(tensor: Tensor | None) -> Digest | None:
    """Bits, norm and sum of a tensor; None for None and for what cannot be read."""
    if tensor is None or tensor.numel() > LARGEST:
        return None
    held = tensor.detach()
    if held.is_sparse:  # the gradient of an embedding, say
        held = held.to_dense()
    if not plain(held):
        return None
    flat = _flat(held)
    return kept_by((_sums(flat), held.shape, held.dtype), lambda: _digest(held, flat))


def _digest(held: Tensor, flat: Tensor) -> Digest:
    wide = held.double() if not held.is_complex() else torch.view_as_real(held).double()
    return Digest(zlib.crc32(_bytes(flat)), float(torch.linalg.vector_norm(wide)), float(wide.sum()))


def kept_by(key: Any, made: Callable[[], Any]) -> Any:
    """What was made of the same bits before, or is made now."""
    found = _kept.get(key)
    if found is None:
        if len(_kept) > KEPT:
            _kept.clear()
        found = _kept[key] = made()
    return found


def row_digests(tensor: Tensor) -> tuple[int, ...]:
    """A digest of each row along dimension 0: equal rows have equal digests."""
    held = tensor.detach()
    if not plain(held):  # inside jvp or vmap whatever is detached is wrapped anew
        return ()
    if held.dim() == 0 or not 0 < held.shape[0] <= ROWS or not 0 < held.numel() <= LARGEST:
        return ()
    flat = _flat(held)
    return kept_by((_sums(flat), held.shape[0]), lambda: _row_digests(flat, held.shape[0]))


def _row_digests(flat: Tensor, rows: int) -> tuple[int, ...]:
    raw = memoryview(_bytes(flat))
    size = len(raw) // rows
    return tuple([zlib.crc32(raw[at : at + size]) for at in range(0, len(raw), size)])


def _flat(held: Tensor) -> Tensor:
    """The bytes of a tensor, in order."""
    flat = held.resolve_conj().resolve_neg().cpu().contiguous().flatten()
    if flat.numel() == 1:
        flat = flat.as_strided((1,), (1,))  # an expanded element counts as contiguous whatever its stride
    return flat.view(torch.uint8) if flat.numel() else torch.empty(0, dtype=torch.uint8)


def _bytes(flat: Tensor) -> Any:
    return flat.numpy().data if flat.numel() else b""


def _sums(flat: Tensor) -> int:
    """The same for the same bytes, and eight times as fast as a digest.

    The bytes are laid out as a square of whole numbers, and the sums of its rows and of its columns are kept.
    """
    width = 1 << ((flat.numel() // 8).bit_length() // 2)
    whole = flat.numel() // (8 * width) * 8 * width
    if flat.numel() < FEW or flat.data_ptr() % 8 or flat.storage_offset() % 8:
        return zlib.crc32(_bytes(flat))
    square = flat[:whole].view(torch.int64).view(-1, width)
    parts = (square.sum(0), square.sum(1), flat[whole:])
    return hash(b"".join(each.numpy().tobytes() for each in parts))
