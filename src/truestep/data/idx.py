"""The IDX format of MNIST and Fashion-MNIST, read as if every file were hostile."""

import gzip
import io
import math
import os
import zlib
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch
from torch import Tensor

from truestep.core.errors import DataError
from truestep.data.digits import DIGITS, Pair, Split

# The third byte of an IDX file, and the big-endian numbers it stands for.
KINDS = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MOST_DIMENSIONS = 64  # what a tensor can have
LIMIT = 4 * 2**30
CHUNK = 2**16


def read_idx(path: str | os.PathLike[str], limit: int = LIMIT) -> Tensor:
    """Read one IDX file, plain or gzipped (its bytes tell, not its name), as a tensor of its own type and shape.

    The header's promise is held against the file's size before memory is taken; a gzipped payload is unpacked in pieces
    and never further than one byte past that promise. `limit` is the largest payload accepted, in bytes.

    Raises DataError, with the file, the byte and the mend, for a file that is missing, no IDX, too short, too long,
    larger than `limit`, or whose gzip stream is broken. Format: Y. LeCun, C. Cortes, C. Burges, "The MNIST database".
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: there is no such file; give the path of an IDX file, plain or gzipped")
    try:
        with path.open("rb") as file:
            return _read(_Source(path, file), limit)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); see to the file's permissions and disk") from None


class _Source:
    """A file that is being read: where it stands, counted in unpacked bytes, and how it complains."""

    def __init__(self, path: Path, file: io.BufferedReader) -> None:
        self.path = path
        self.size = os.fstat(file.fileno()).st_size
        self.packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        self.stream = gzip.GzipFile(fileobj=file) if self.packed else file
        self.at = 0
        self.where = "of the unpacked data" if self.packed else "of the file"

    def refuse(self, problem: str, mend: str = "fetch or copy it again") -> NoReturn:
        raise DataError(f"{self.path}: {problem}; {mend}")

    def take(self, count: int) -> bytearray:
        """The next `count` bytes, or fewer where the file ends; memory grows with what is there, not with `count`."""
        taken = bytearray()
        try:
            while len(taken) < count and (chunk := self.stream.read1(min(CHUNK, count - len(taken)))):
                taken += chunk
        except EOFError:
            unpacked = self.at + len(taken)
            self.refuse(f"the gzip stream is cut off at byte {self.size:,} of the file ({unpacked:,} bytes unpacked)")
        except (gzip.BadGzipFile, zlib.error) as error:
            self.refuse(f"the gzip stream is broken at or after byte {self.at + len(taken):,} {self.where} ({error})")
        self.at += len(taken)
        return taken


def _read(source: _Source, limit: int) -> Tensor:
    kind, shape = _header(source)
    start, due = source.at, kind.itemsize * math.prod(shape)
    promise = f"its header promises {due:,} bytes of payload ({' x '.join(map(str, shape))} of {kind.name})"
    # An extent of 0 makes the product 0 whatever the others claim: hold the others to the limit all the same.
    if kind.itemsize * math.prod(max(extent, 1) for extent in shape) > limit:
        source.refuse(f"{promise}, above the limit of {limit:,}", "raise `limit` if the file is what it should be")
    if not source.packed and source.size != start + due:
        fault = "too short" if source.size < start + due else "too long"
        source.refuse(f"{promise} up to byte {start + due:,}, and the file ends at byte {source.size:,}: it is {fault}")
    payload = source.take(due + 1)  # one past the promise: then gzip's checksum, which stands there, is read too
    if len(payload) < due:
        source.refuse(f"{promise}, and the payload ends at byte {source.at:,} {source.where}: it is too short")
    if len(payload) > due:
        source.refuse(f"{promise}, and more follows at byte {start + due:,} {source.where}: it is too long")
    numbers = np.ndarray(shape, kind, buffer=payload)
    return torch.from_numpy(numbers.astype(kind.newbyteorder("="), copy=False))


def _header(source: _Source) -> tuple[np.dtype, tuple[int, ...]]:
    magic = source.take(4)
    right = "give the path of an IDX file, or fetch it again"
    if magic[:1] == b"<":
        source.refuse("byte 0 is '<', which starts a web page and not an IDX file", right)
    if magic[:2] not in (b"\0\0", b"\0", b""):
        source.refuse(f"bytes 0 to 1 are {magic[:2].hex(' ')}, and an IDX file starts with 00 00", right)
    if len(magic) < 4:
        source.refuse(f"it ends at byte {len(magic)} {source.where}, inside the 4 bytes that start an IDX file", right)
    if magic[2] not in KINDS:
        known = ", ".join(f"{code:02x}" for code in KINDS)
        source.refuse(f"byte 2 is the type code {magic[2]:02x}, and IDX knows {known}", right)
    dimensions = magic[3]
    if not 1 <= dimensions <= MOST_DIMENSIONS:
        source.refuse(f"byte 3 claims {dimensions} dimensions, and 1 to {MOST_DIMENSIONS} can be read", right)
    extents = source.take(4 * dimensions)
    if len(extents) < 4 * dimensions:
        source.refuse(f"it ends at byte {source.at:,} {source.where}, inside a header of {4 + 4 * dimensions} bytes")
    shape = tuple(int.from_bytes(extents[i : i + 4], "big") for i in range(0, 4 * dimensions, 4))
    return np.dtype(KINDS[magic[2]]), shape


def load_idx(folder: str | os.PathLike[str], name: str = "", classes: tuple[str, ...] = DIGITS) -> Split:
    """Load a folder of MNIST-like IDX files (`train-*` and `t10k-*`, plain or .gz, or torchvision's MNIST/raw in it).

    Images come as float32 (N, 1, H, W) in [0, 1], labels as int64 (N,), 0 to 9. Where only one of the two parts is
    there, its first 80 % are the training set and its last 20 % the test set, and the split's `note` says so.

    Raises DataError where files are missing or broken (see `read_idx`), where images and labels differ in number, or
    where a label is no class, with the file and the byte.
    """
    places = (Path(folder), Path(folder, "MNIST", "raw"), Path(folder, "FashionMNIST", "raw"))
    found = next((place for place in places if holds_idx(place)), None)
    if found is None:
        raise DataError(
            f"{folder}: there are no IDX files such as t10k-images-idx3-ubyte.gz here or in MNIST/raw; give the folder "
            "that holds them"
        )
    parts = {part: _part(found, part, len(classes)) for part in ("train", "t10k") if holds_idx(found, part)}
    name = name or found.name
    if len(parts) == 2:
        return Split(parts["train"], parts["t10k"], name, classes)
    [(part, (images, labels))] = parts.items()
    cut = len(labels) * 4 // 5
    if cut == 0:
        raise DataError(f"{found}: {part} holds one sample, which cannot be split in two; add the other IDX files")
    note = f"only the {part} files are there: their first {cut:,} train, their last {len(labels) - cut:,} test"
    return Split((images[:cut], labels[:cut]), (images[cut:], labels[cut:]), name, classes, note)


def holds_idx(folder: Path, part: str | None = None) -> bool:
    """Whether any file of `part` ("train" or "t10k"; None for either) is in this very folder."""
    parts = ("train", "t10k") if part is None else (part,)
    return any(_file(folder, part, what) for part in parts for what in ("images", "labels"))


def _file(folder: Path, part: str, what: str) -> Path | None:
    rank = "idx3" if what == "images" else "idx1"
    names = [f"{part}-{what}{mark}{rank}-ubyte{packed}" for packed in ("", ".gz") for mark in "-."]
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _part(folder: Path, part: str, classes: int) -> Pair:
    images, labels = (_bytes_of(folder, part, what) for what in ("images", "labels"))
    if len(images) != len(labels):
        raise DataError(
            f"{folder}: {part} holds {len(images):,} images and {len(labels):,} labels; fetch or copy both again"
        )
    if images.numel() == 0:
        raise DataError(f"{folder}: {part} holds no pixels (shape {tuple(images.shape)}); fetch or copy it again")
    wrong = (labels >= classes).nonzero()
    if len(wrong):
        first, path = int(wrong[0]), _file(folder, part, "labels")
        raise DataError(
            f"{path}: byte {8 + first:,} is the label {int(labels[first])} of sample {first:,}, "
            f"and there are {classes} classes, 0 to {classes - 1}; fetch it again, or drop that sample"
        )
    return images.to(torch.float32).div_(255).unsqueeze_(1), labels.to(torch.int64)


def _bytes_of(folder: Path, part: str, what: str) -> Tensor:
    """One file of a part, which must be bytes of the rank that its name promises."""
    path, rank = _file(folder, part, what), 3 if what == "images" else 1
    if path is None:
        raise DataError(f"{folder}: {part}-{what}-idx{rank}-ubyte[.gz] is missing beside its twin; put it there")
    numbers = read_idx(path)
    if numbers.dtype != torch.uint8 or numbers.ndim != rank:
        raise DataError(
            f"{path}: its header (bytes 2 to 3) says {numbers.ndim} dimensions of {numbers.dtype}, and {what} are "
            f"{rank} of torch.uint8; put the right file there"
        )
    return numbers
