"""A checkpoint in one file: tensors and plain data, every byte under a checksum, nothing in it ever executed.

The file is safetensors (other libraries can open it), see `store/layout.py`; its part `truestep.json` holds the plain
data. Reading goes in this order: the kind and size of the file, the header, the checksum of every part in a buffer of
fixed size, and only then memory for the tensors. A file that is refused has taken next to none.
"""

import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor

from truestep.core.errors import CheckpointError
from truestep.store import layout
from truestep.store.atomic import write_parts
from truestep.store.layout import CODES, OTHERS, Part
from truestep.store.plain import MOST_PLAIN, from_text, to_text
from truestep.store.reading import is_special, memory

PLAIN = "truestep.json"
CHUNK = 2**20

_CODE_OF = {dtype: code for code, dtype in CODES.items()}
_OTHERS = {dtype: name for name, dtype in OTHERS.items()}
_AGAIN = "take an older one, or a sound copy"


@dataclass(frozen=True)
class Checkpoint:
    """What a file held, verified to the last byte: tensors on the CPU, JSON data, the schema it was written in."""

    tensors: dict[str, Tensor]
    plain: dict[str, Any]
    schema: int


def write(
    path: str | os.PathLike[str], tensors: Mapping[str, Tensor], plain: dict[str, Any], follow: bool = True
) -> None:
    """Writes one checkpoint so that a crash at any moment leaves the old file or the new one.

    Tensors may have any shape, none and empty ones included, and any dtype of plain numbers; tied and strided ones are
    written out in full. `plain` is a dict of JSON data: dict with str keys, list, str, int, float (NaN and infinity
    too), bool, None, and nothing else, so that what is read equals what was written. A link at `path` is followed,
    unless `follow` is false. Raises `CheckpointError` for what cannot be held and `StoreError` when the file cannot be
    written.
    """
    given = {name: _plain_tensor(name, tensor) for name, tensor in tensors.items()}
    types = {name: _OTHERS[tensor.dtype] for name, tensor in given.items() if tensor.dtype in _OTHERS}
    given[PLAIN] = torch.frombuffer(bytearray(to_text(plain, types)), dtype=torch.uint8)
    flat = {name: tensor.reshape(-1).view(torch.uint8).numpy().data for name, tensor in given.items()}
    parts: list[Part] = []
    start = 0
    for name in sorted(given, key=lambda each: (-_width(given[each]), each)):  # wide ones first: all are aligned
        digest = hashlib.sha256(flat[name]).hexdigest()
        parts.append(Part(name, *_spelled(given[name]), start, len(flat[name]), digest))
        start += len(flat[name])
    head = layout.encode(parts)
    if len(head) > layout.MOST_HEADER:
        raise CheckpointError(f"a checkpoint cannot hold {len(flat):,} tensors: their names fill more than its header")
    try:
        layout.decode(head)  # nothing is written that would not be read
    except layout.LayoutError as fault:
        raise CheckpointError(f"{os.fspath(path)} is not written, since it could not be read: it {fault}") from None
    write_parts(path, [head, *(flat[part.name] for part in parts)], follow)


def read(path: str | os.PathLike[str]) -> Checkpoint:
    """Reads what `write` wrote, of this schema or an older one, after verifying every byte of it.

    Raises `CheckpointError`, one sentence, for a file that is missing, no regular file, cut short, altered, larger than
    the memory of this machine, or not a checkpoint of truestep. Nothing in the file is executed, imported or looked up.
    """
    return _Reader(os.fspath(path)).read()


def _plain_tensor(name: object, tensor: object) -> Tensor:
    """The tensor on the CPU, contiguous, its memory shared where that is how it lies already."""
    if not isinstance(name, str) or name == PLAIN or not 3 <= len(json.dumps(name)) <= layout.MOST_NAME:
        raise CheckpointError(f"{str(name)[:60]!r} cannot name a tensor in a checkpoint: use another name")
    if not isinstance(tensor, Tensor):
        raise CheckpointError(
            f"{name[:60]!r} is of type {type(tensor).__name__}, not a tensor: put it into the plain data"
        )
    if tensor.is_meta or tensor.layout is not torch.strided or tensor.dtype not in {*_CODE_OF, *_OTHERS}:
        kind = "a meta" if tensor.is_meta else "a sparse" if tensor.layout is not torch.strided else f"a {tensor.dtype}"
        raise CheckpointError(f"{name[:60]!r} is {kind} tensor, which a checkpoint cannot hold: give its dense values")
    return tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()


def _width(tensor: Tensor) -> int:
    return 1 if tensor.dtype in _OTHERS else tensor.dtype.itemsize


def _spelled(tensor: Tensor) -> tuple[str, tuple[int, ...]]:
    """The code and shape that the header gives; of a type without a code its bytes, as one more dimension."""
    if tensor.dtype in _OTHERS:
        return "U8", (*tensor.shape, tensor.dtype.itemsize)
    return _CODE_OF[tensor.dtype], tuple(tensor.shape)


class _Reader:
    """One file that is being read, and how it complains."""

    def __init__(self, name: str) -> None:
        self.name = name

    def refuse(self, problem: str, mend: str = _AGAIN) -> NoReturn:
        raise CheckpointError(f"{self.name} {problem}; {mend}")

    def read(self) -> Checkpoint:
        try:
            if is_special(self.name):
                self.refuse("is no file that can hold a checkpoint", "give the path of a regular file")
            with Path(self.name).open("rb", buffering=0) as file:
                return self._checked(file)
        except CheckpointError:
            raise
        except FileNotFoundError:
            raise CheckpointError(f"there is no checkpoint at {self.name}: give the path of one") from None
        except (OSError, ValueError) as failure:
            reason = getattr(failure, "strerror", None) or failure
            raise CheckpointError(f"{self.name} cannot be read: {reason}; see to the file and its disk") from failure

    def _checked(self, file: io.FileIO) -> Checkpoint:
        size = os.fstat(file.fileno()).st_size
        head = self._head(file, size)
        after = file.tell()
        if size - after != head.size:
            fault = "cut short" if size - after < head.size else "too long"
            self.refuse(f"is {fault}: it has {size:,} bytes of {after + head.size:,}")
        sizes = {part.name: part.size for part in head.parts}
        if not 0 <= sizes.get(PLAIN, -1) <= MOST_PLAIN:
            self.refuse("is damaged: it has no plain data, or too many")
        if head.size > (there := memory()):
            self.refuse(f"needs {head.size:,} bytes of memory, and this machine has {there:,}", "use a larger one")
        buffer = bytearray(CHUNK)
        for part in head.parts:
            self._verify(file, part, buffer)
        file.seek(after)
        raw = {part.name: self._take(file, part) for part in head.parts}
        plain, types = self._plain(raw.pop(PLAIN))
        tensors = {
            part.name: self._tensor(part, raw[part.name], types.pop(part.name, None))
            for part in head.parts
            if part.name != PLAIN
        }
        if types:
            self.refuse("is damaged: it gives types of tensors that it has not")
        return Checkpoint(tensors, plain, head.schema)

    def _head(self, file: io.FileIO, size: int) -> layout.Head:
        start = file.read(layout.START)
        due = 8 + int.from_bytes(start[:8], "little")
        try:
            if size < layout.START:
                self.refuse(f"is cut short: it has {size:,} bytes")
            layout.check_start(start)
            if due > size:
                self.refuse(f"is cut short: it has {size:,} bytes, and its header alone {due:,}")
            if due > layout.MOST_HEADER or due < layout.START:
                self.refuse(f"is damaged: its header cannot have {due:,} bytes")
            head = bytearray(due)
            head[: len(start)] = start
            self._fill(file, memoryview(head)[len(start) :])
            return layout.decode(head)
        except layout.ForeignError as fault:
            self.refuse(str(fault), "give the path of one")
        except layout.NewerError as fault:
            self.refuse(str(fault), "pip install -U truestep")
        except layout.LayoutError as fault:
            self.refuse(str(fault))

    def _fill(self, file: io.FileIO, view: memoryview) -> None:
        at = 0
        while at < len(view):
            count = file.readinto(view[at : at + CHUNK])
            if not count:
                self.refuse("is cut short: it shrank while it was read")
            at += count

    def _verify(self, file: io.FileIO, part: Part, buffer: bytearray) -> None:
        """Holds the bytes of one part against their checksum, in memory of a fixed size."""
        digest = hashlib.sha256()
        for at in range(0, part.size, len(buffer)):
            piece = memoryview(buffer)[: part.size - at]
            self._fill(file, piece)
            digest.update(piece)
        if digest.hexdigest() != part.digest:
            self.refuse(f"is damaged: the bytes of {part.name[:60]!r} do not match their checksum")

    def _take(self, file: io.FileIO, part: Part) -> Tensor:
        """The bytes of one part, held against their checksum again: these are the ones that are handed out."""
        try:
            raw = torch.empty(part.size, dtype=torch.uint8)
        except RuntimeError:
            self.refuse(
                f"needs {part.size:,} bytes of memory for {part.name!r}, which are not free", "use a larger one"
            )
        view = raw.numpy().data
        self._fill(file, view)
        if hashlib.sha256(view).hexdigest() != part.digest:
            self.refuse("changed while it was read", "read it again when nothing writes to it")
        return raw

    def _plain(self, raw: Tensor) -> tuple[dict[str, Any], dict[str, str]]:
        try:
            return from_text(raw.numpy().tobytes())
        except ValueError as failure:
            self.refuse(f"is damaged: its plain data cannot be read ({failure})")

    def _tensor(self, part: Part, raw: Tensor, other: str | None) -> Tensor:
        if other is not None:
            dtype = OTHERS.get(other)
            if dtype is None or part.code != "U8" or part.shape[-1:] != (dtype.itemsize,):
                self.refuse(f"is damaged: {part.name[:60]!r} cannot be of the type {other[:60]!r}")
            return raw.view(dtype).reshape(part.shape[:-1])
        dtype = CODES[part.code]
        if dtype is torch.bool and bool((raw > 1).any()):  # torch would take such a byte for true here, false there
            self.refuse(f"is damaged: {part.name[:60]!r} holds a truth value other than 0 and 1")
        return raw.view(dtype).reshape(part.shape)
