"""Weights as safetensors files that carry a checksum of themselves; nothing in them is ever executed."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from truestep.core.errors import DataError
from truestep.store.atomic import write_bytes
from truestep.store.reading import is_special, memory

_BLANK = b"0" * 64
_CHECKSUM = re.compile(rb'"sha256":"([0-9a-f]{64})"')
_AGAIN = "take a sound copy, or train again"


def save_weights(path: str | os.PathLike[str], tensors: Mapping[str, Tensor]) -> None:
    """Writes named tensors of any shape to one safetensors file, by way of `write_bytes`.

    Tied and non-contiguous tensors are written out in full, each under its own name; other libraries can read the file.
    The metadata holds `sha256`, the SHA-256 of the whole file with the 64 digits of the checksum itself read as zeros.
    Raises `DataError` for what is not a plain tensor, `StoreError` when the file cannot be written.
    """
    plain = {name: _plain(name, tensor) for name, tensor in tensors.items()}
    try:
        data = bytearray(save(plain, metadata={"sha256": _BLANK.decode()}))
    except KeyError as failure:
        raise DataError(f"safetensors cannot hold tensors of type {failure.args[0]}: convert them first") from failure
    except (SafetensorError, ValueError, RuntimeError) as failure:
        raise DataError(f"the weights for {os.fspath(path)} cannot be saved: {_first_line(failure)}") from failure
    place = _CHECKSUM.search(data)
    assert place is not None  # written by the line above
    data[place.start(1) : place.end(1)] = _digest(memoryview(data), place.start(1)).encode()
    write_bytes(path, data)


def load_weights(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Reads the tensors that `save_weights` wrote, on the CPU, after verifying the checksum over every byte.

    Raises `DataError`, one sentence each, for a file that is missing, cut short, altered or not written by truestep.
    """
    name = os.fspath(path)
    try:
        size = Path(path).stat().st_size
        if is_special(path) or size > memory():
            raise DataError(f"{name} is no file of weights that this machine can hold: give the path of another")
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise DataError(f"there are no weights at {name}: give the path of a .safetensors file") from None
    except OSError as failure:
        raise DataError(f"the weights at {name} cannot be read: {failure.strerror or failure}") from failure
    head = 8 + int.from_bytes(data[:8], "little")
    expected = _expected_size(data, head)
    if len(data) < expected:
        raise DataError(f"{name} is cut short: it has {len(data)} bytes of {expected}; {_AGAIN}")
    place = _CHECKSUM.search(data, 8, head)
    if place is None:
        raise DataError(f"{name} has no checksum of truestep: read it with safetensors.torch.load_file if you trust it")
    if _digest(memoryview(data), place.start(1)) != place.group(1).decode():
        raise DataError(f"{name} is damaged: its bytes do not match their checksum; {_AGAIN}")
    try:
        return load(data)
    except (SafetensorError, ValueError, RuntimeError) as failure:
        raise DataError(f"{name} is not a file of weights: {_first_line(failure)}") from failure


def _plain(name: str, tensor: Tensor) -> Tensor:
    if not isinstance(name, str) or not name.isprintable() or name == "__metadata__":
        raise DataError(f"{name!r} cannot name a tensor in a file: use another")
    if not isinstance(tensor, Tensor):
        raise DataError(f"{name!r} is of type {type(tensor).__name__}, not a tensor: leave it out of the weights")
    if tensor.is_meta or tensor.layout is not torch.strided or tensor.is_quantized:
        kind = "meta" if tensor.is_meta else "quantized" if tensor.is_quantized else "sparse"
        raise DataError(f"{name!r} is a {kind} tensor, which has no plain values: save its dense form instead")
    # A copy: safetensors refuses views and tensors that share memory, as tied weights do.
    return tensor.detach().clone(memory_format=torch.contiguous_format).cpu()


def _digest(data: memoryview, at: int) -> str:
    digest = hashlib.sha256(data[:at])
    digest.update(_BLANK)
    digest.update(data[at + len(_BLANK) :])
    return digest.hexdigest()


def _expected_size(data: bytes, head: int) -> int:
    """The size in bytes that the header promises, as far as it can be read."""
    if len(data) < max(8, head):
        return max(8, head)
    try:
        entries = json.loads(data[8:head])
        ends = (entry["data_offsets"][1] for key, entry in entries.items() if key != "__metadata__")
        return head + max(ends, default=0)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        return head


def _first_line(failure: BaseException) -> str:
    return (str(failure).splitlines() or [type(failure).__name__])[0]
