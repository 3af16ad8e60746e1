"""What is kept of a tensor: who it is, how it looks, a digest of its numbers; never the tensor itself."""

from __future__ import annotations

import math
import weakref
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor as is_wrapped
from torch._C._functorch import peek_interpreter_stack
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.parameter import is_lazy

ROWS = 1024  # rows of a batch that are told apart
LARGEST = 1 << 24  # elements of what is digested at all
DEAD = 64  # storages that are gone and still known, at most, beside as many as live
SMALL = 1 << 16  # elements of what is summed in float64

_shapes: dict[tuple[int, ...], tuple[int, ...]] = {}  # one object a shape keeps the garbage collector idle
_dtypes: dict[torch.dtype, str] = {}


class Values(NamedTuple):
    """The numbers of a tensor in short: least, greatest, mean; whether all are finite, and whole numbers.

    `sums` are the least and the greatest sum over dimension 1 (the classes of an (N, C, ...) tensor), None below two
    dimensions.
    """

    low: float
    high: float
    mean: float
    finite: bool
    whole: bool
    sums: tuple[float, float] | None = None


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


class Numbers:
    """Objects numbered from 1 in the order in which they are met, by weak reference: nothing is kept alive.

    An address that comes back belongs to another object, so the weak reference decides and never the address alone.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Any], int]] = {}
        self._stores: dict[int, tuple[StorageWeakRef, int]] = {}
        self._last, self._due = 0, DEAD

    def of(self, one: Any) -> int:
        """The number of an object; 0 for what cannot be referred to weakly."""
        known = self._known.get(id(one))
        if known is not None and known[0]() is one:
            return known[1]
        try:
            reference = weakref.ref(one)
        except TypeError:
            return 0
        self._last += 1
        self._known[id(one)] = (reference, self._last)
        return self._last

    def knows(self, one: Any) -> int:
        """The number of an object that was met before, else 0."""
        known = self._known.get(id(one))
        return known[1] if known is not None and known[0]() is one else 0

    def storage(self, tensor: Tensor) -> int:
        """The number of the memory that a tensor stands in; 0 where it has none of its own."""
        try:
            held = StorageWeakRef(tensor.untyped_storage())  # while it is held, the address is not given out again
        except (RuntimeError, NotImplementedError):
            return 0
        known = self._stores.get(held.cdata)
        if known is None:
            self._last += 1
            known = self._stores[held.cdata] = (held, self._last)
            if len(self._stores) >= self._due:
                self._forget()
        return known[1]

    @property
    def storages(self) -> int:
        """How many storages are known, those that are gone since the last look included."""
        return len(self._stores)

    def _forget(self) -> None:
        """Let go of memory that is gone: what is left of it, a few bytes each, would split what becomes free around."""
        self._stores = {key: one for key, one in self._stores.items() if not one[0].expired()}
        self._due = DEAD + 2 * len(self._stores)

    def alive(self) -> Iterator[tuple[int, Any]]:
        """The objects that still live, with their numbers."""
        for reference, number in list(self._known.values()):
            one = reference()
            if one is not None:
                yield number, one


def plain(tensor: Any) -> bool:
    """Whether this is a tensor whose numbers can be read: no wrapper of vmap or grad, not fake, not meta."""
    if not isinstance(tensor, Tensor) or tensor.device.type == "meta" or is_lazy(tensor):
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
    return Seen(
        numbers.of(tensor),
        numbers.storage(tensor) if simple else 0,
        () if is_lazy(tensor) else tuple(tensor.shape),
        str(tensor.dtype).removeprefix("torch."),
        tensor.requires_grad,
        node is None,
        0 if tensor.is_inference() else tensor._version,
        "" if node is None else node.name(),
        values(tensor) if look and simple else None,
        row_digests(tensor) if rows and simple else (),
    )


def parts(value: Any, depth: int = 3) -> Iterator[Any]:
    """A value and what its lists, tuples and dicts hold."""
    yield value
    if isinstance(value, dict | list | tuple) and depth:
        for each in list(value.values() if isinstance(value, dict) else value)[:100]:
            yield from parts(each, depth - 1)


def tensors(value: Any, depth: int = 3) -> Iterator[Tensor]:
    """The tensors among them."""
    return (each for each in parts(value, depth) if isinstance(each, Tensor))


def values(tensor: Tensor) -> Values | None:
    """The numbers in short; None for an empty, complex or very large tensor. Means of large ones are as they come."""
    held = tensor.detach()
    if not 0 < held.numel() <= LARGEST or held.is_complex() or held.is_quantized:
        return None
    small = held.numel() <= SMALL or not held.is_floating_point() or held.element_size() < 4
    wide = held.double() if small else held
    low, high = (float(each) for each in torch.aminmax(wide))
    sums = None
    if wide.dim() >= 2:
        least, most = torch.aminmax(wide.sum(1))
        sums = (float(least), float(most))
    finite = math.isfinite(low) and math.isfinite(high)  # both are NaN where any element is
    return Values(low, high, float(wide.mean()), finite, _whole(held), sums)


def _whole(held: Tensor) -> bool:
    """Whether all are whole numbers; the first few nearly always say no."""
    if not held.is_floating_point():
        return True
    few = held.flatten()[:64] if held.is_contiguous() else held
    return bool((few == few.round()).all()) and (few is held or bool((held == held.round()).all()))


def kept(target: Any, ignored: int) -> int | None:
    """How many targets a loss counts; None where they are no classes or cannot be read."""
    if not plain(target) or target.is_floating_point() or target.numel() > LARGEST:
        return None
    return int((target.detach() != ignored).sum())


def digest(tensor: Tensor | None) -> Digest | None:
    """Bits, norm and sum of a tensor; None for None and for what cannot be read."""
    if tensor is None or tensor.numel() > LARGEST:
        return None
    held = tensor.detach()
    if held.is_sparse:  # the gradient of an embedding, say
        held = held.to_dense()
    if not plain(held):
        return None
    wide = held.double() if not held.is_complex() else torch.view_as_real(held).double()
    return Digest(zlib.crc32(_bytes(held)), float(torch.linalg.vector_norm(wide)), float(wide.sum()))


def row_digests(tensor: Tensor) -> tuple[int, ...]:
    """A digest of each row along dimension 0: equal rows have equal digests."""
    held = tensor.detach()
    if not plain(held):  # inside jvp or vmap whatever is detached is wrapped anew
        return ()
    if held.dim() == 0 or not 0 < held.shape[0] <= ROWS or not 0 < held.numel() <= LARGEST:
        return ()
    raw = memoryview(_bytes(held))
    size = len(raw) // held.shape[0]
    return tuple(zlib.crc32(raw[at : at + size]) for at in range(0, len(raw), size))


def _bytes(held: Tensor) -> Any:
    flat = held.resolve_conj().resolve_neg().cpu().contiguous().flatten()
    if flat.numel() == 1:
        flat = flat.as_strided((1,), (1,))  # an expanded element counts as contiguous whatever its stride
    return flat.view(torch.uint8).numpy().data if flat.numel() else b""
