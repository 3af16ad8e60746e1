"""The head of a checkpoint: a safetensors header in one fixed form, written and read without trust.

A file is 8 bytes of length, the header, and the bytes of its parts one behind the other. The header is JSON that any
reader of safetensors understands, but only one spelling of it is accepted here: it is matched piece by piece, never
handed to a JSON parser, so that depth, repeated keys and unknown fields cannot arise, and no piece is believed before
the one in front of it has been found right. `sha256` in it covers the length and the header, its own digits read as
zeros; `parts` holds the SHA-256 of each part in order. So every byte of the file is under exactly one checksum.
"""

import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch

SCHEMA = 1
START = 72  # bytes that tell whose file it is, and of which schema
MOST_HEADER = 2**26  # bytes: some 300,000 tensors
MOST_NAME = 4096  # bytes of a name as it is spelled in the header
MOST_DIMENSIONS = 64  # what a tensor can have
MOST_NUMBERS = 2**60  # in one tensor, extents of 0 counted as 1: no product of extents then overflows

CODES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "BOOL": torch.bool,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "C64": torch.complex64,
    "U64": torch.uint64, "U32": torch.uint32, "U16": torch.uint16, "U8": torch.uint8,
    "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2,
}  # fmt: skip
# What safetensors has no code for, or has one only in its later releases: kept as bytes, with a last dimension more.
OTHERS = {
    "complex128": torch.complex128,
    "complex32": torch.complex32,
    "float8_e4m3fnuz": torch.float8_e4m3fnuz,
    "float8_e5m2fnuz": torch.float8_e5m2fnuz,
    "float8_e8m0fnu": torch.float8_e8m0fnu,
}

_BLANK = b"0" * 64
_START = re.compile(rb'\{"__metadata__":\{"truestep":"checkpoint","schema":"([1-9][0-9]{0,5})",')
_SUMS = re.compile(rb'"sha256":"([0-9a-f]{64})","parts":"((?:[0-9a-f]{64})*+)"\}')
_WHOLE = rb"(?:0|[1-9][0-9]{0,18})"
_PART = re.compile(
    rb',("(?:[^"\\]|\\.){1,%d}+"):\{"dtype":"([A-Z0-9_]{2,8})","shape":\[((?:%b(?:,%b){0,%d})?)\],'
    rb'"data_offsets":\[(%b),(%b)\]\}' % (MOST_NAME, _WHOLE, _WHOLE, MOST_DIMENSIONS - 1, _WHOLE, _WHOLE)
)
_END = re.compile(rb"\} {0,7}")


class LayoutError(Exception):
    """What is wrong with a header, in words that go on from the name of the file."""


class NewerError(LayoutError):
    """A header of a release to come."""


class ForeignError(LayoutError):
    """A file of something else."""


@dataclass(frozen=True, slots=True)
class Part:
    """One run of bytes in the file: `size` of them from `start`, counted from the end of the header."""

    name: str
    code: str
    shape: tuple[int, ...]
    start: int
    size: int
    digest: str


@dataclass(frozen=True)
class Head:
    """A header that is sound in itself; `size` counts all bytes that its parts need."""

    schema: int
    parts: Sequence[Part]
    size: int


def encode(parts: Sequence[Part]) -> bytes:
    """The 8 bytes of length and the header of `parts`, which must follow one another without a gap."""
    sums = "".join(part.digest for part in parts)
    pieces = [f'{{"__metadata__":{{"truestep":"checkpoint","schema":"{SCHEMA}",']
    pieces.append(f'"sha256":"{_BLANK.decode()}","parts":"{sums}"}}')
    for part in parts:
        shape = ",".join(map(str, part.shape))
        offsets = f"{part.start},{part.start + part.size}"
        pieces.append(
            f',{json.dumps(part.name)}:{{"dtype":"{part.code}","shape":[{shape}],"data_offsets":[{offsets}]}}'
        )
    text = "".join([*pieces, "}"]).encode("ascii")
    text += b" " * (-len(text) % 8)  # so that the numbers behind it stand at addresses that every reader can map
    head = bytearray(len(text).to_bytes(8, "little") + text)
    at = head.index(_BLANK)
    head[at : at + 64] = _sum(head, at)
    return bytes(head)


def check_start(start: bytes | bytearray) -> None:
    """Raises `LayoutError` unless a file that starts like this (`START` bytes of it) may be a checkpoint for us."""
    begun = _START.match(start, 8)
    if begun is None:
        raise ForeignError("is no checkpoint of truestep")
    if int(begun[1]) > SCHEMA:
        raise NewerError(f"was written by a newer truestep (schema {int(begun[1])}, and this one knows {SCHEMA})")


def decode(head: bytes | bytearray) -> Head:
    """What a length and header say, all of it checked but the bytes of the parts; raises `LayoutError`."""
    check_start(head[:START])
    begun = _START.match(head, 8)
    assert begun is not None  # by the line above
    schema = int(begun[1])
    sums = _SUMS.match(head, begun.end())
    if sums is None:
        raise LayoutError("is damaged: its checksums cannot be read")
    if _sum(head, sums.start(1)) != sums[1]:
        raise LayoutError("is damaged: its header does not match its checksum")
    parts = _parts(head, sums.end(), sums[2].decode())
    return Head(schema, parts, parts[-1].start + parts[-1].size if parts else 0)


def _parts(head: bytes | bytearray, at: int, sums: str) -> list[Part]:
    parts: list[Part] = []
    names: set[str] = set()
    end = 0
    while found := _PART.match(head, at):
        if len(parts) * 64 == len(sums):
            raise LayoutError("is damaged: it has more parts than checksums")
        part = _part(found, sums[64 * len(parts) : 64 * len(parts) + 64])
        if part.name in names:
            raise LayoutError(f"is damaged: it names {part.name[:60]!r} twice")
        if part.start != end:
            fault = "overlaps the part before it" if part.start < end else "leaves a gap before it"
            raise LayoutError(f"is damaged: the place of {part.name[:60]!r} {fault}")
        parts.append(part)
        names.add(part.name)
        at, end = found.end(), part.start + part.size
    if not _END.fullmatch(head, at):
        raise LayoutError(f"is damaged: byte {at:,} of its header is not as truestep writes it")
    if len(parts) * 64 != len(sums):
        raise LayoutError("is damaged: it has fewer parts than checksums")
    return parts


def _part(found: re.Match[bytes], digest: str) -> Part:
    spelled, code = found[1], found[2].decode()
    try:
        name = json.loads(spelled)
    except ValueError:
        name = None
    if not isinstance(name, str) or json.dumps(name).encode() != spelled:
        raise LayoutError("is damaged: it holds a name that is not as truestep writes it")
    if code not in CODES:
        raise LayoutError(f"is damaged: {name[:60]!r} is of the unknown type {code}")
    shape = tuple(int(extent) for extent in found[3].split(b",")) if found[3] else ()
    start, stop = int(found[4]), int(found[5])
    if math.prod(max(extent, 1) for extent in shape) > MOST_NUMBERS:
        raise LayoutError(f"is damaged: the shape of {name[:60]!r} is larger than any tensor")
    size = math.prod(shape) * CODES[code].itemsize
    if stop - start != size:
        raise LayoutError(f"is damaged: {name[:60]!r} needs {size:,} bytes, and its place has {stop - start:,}")
    return Part(name, code, shape, start, size, digest)


def _sum(head: bytes | bytearray, at: int) -> bytes:
    """The checksum of a header whose own digits stand at `at`."""
    view = memoryview(head)
    digest = hashlib.sha256(view[:at])
    digest.update(_BLANK)
    digest.update(view[at + 64 :])
    return digest.hexdigest().encode()
