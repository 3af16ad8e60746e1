"""MNIST and Fashion-MNIST from their public mirrors: only when asked to, and only what its checksum knows."""

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from truestep.core.errors import ConfigError, DataError

SLOWEST = 20_000  # bytes a second: a mirror that drips below it is left, however often it sends something
CHUNK = 2**16


@dataclass(frozen=True)
class Remote:
    """One file as it was published: its name, its length in bytes and its SHA-256."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Published:
    """A published data set: its files, and the folders on the web that hold copies of them, the first to try first."""

    files: tuple[Remote, ...]
    mirrors: tuple[str, ...]


def _four(*facts: tuple[int, str]) -> tuple[Remote, ...]:
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    return tuple(Remote(f"{name}-ubyte.gz", *fact) for name, fact in zip(names, facts, strict=True))


PUBLISHED = {
    "mnist": Published(
        _four(
            (9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
        ),
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "http://yann.lecun.com/exdb/mnist/",
        ),
    ),
    "fashion-mnist": Published(
        _four(
            (26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            (29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            (4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            (5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        ),
        (
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
    ),
}


def fetch(
    name: str, folder: str | os.PathLike[str], mirrors: Sequence[str] | None = None, timeout: float = 30.0
) -> Path:
    """Fetch the four files of "mnist" or "fashion-mnist" into `folder`, and return the folder.

    A file that is there and whole is not fetched again; a damaged one is replaced. Every mirror is tried in turn, and
    only bytes of the published length and SHA-256 are written. `mirrors` are base addresses to try in place of the
    public ones; `timeout` is in seconds without an answer.

    Raises ConfigError for another name, DataError where no mirror gave the file, with what each of them did,
    StoreError where the folder cannot be written.
    """
    from truestep.store.atomic import make_folder, write_bytes

    if name not in PUBLISHED:
        raise ConfigError(f"{name!r} cannot be fetched; {' and '.join(PUBLISHED)} can")
    folder, published = Path(folder), PUBLISHED[name]
    make_folder(folder)
    for file in published.files:
        if not _whole(folder / file.name, file):
            content = _from_any(published.mirrors if mirrors is None else mirrors, file, timeout)
            write_bytes(folder / file.name, content)
    return folder


def _whole(path: Path, file: Remote) -> bool:
    try:
        return path.stat().st_size == file.bytes and hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256
    except OSError:
        return False


def _from_any(mirrors: Sequence[str], file: Remote, timeout: float) -> bytes:
    failures = []
    for mirror in mirrors:
        address = f"{mirror.rstrip('/')}/{file.name}"
        try:
            return _download(address, file, timeout)
        except (OSError, ValueError) as error:  # ValueError: our own findings below, and addresses that are none
            failures.append(f"{address}: {error}")
    raise DataError(
        f"{file.name} could not be fetched ({'; '.join(failures) or 'no mirrors given'}); "
        "get it by hand, and set TRUESTEP_DATA to the folder that holds it"
    )


def _download(address: str, file: Remote, timeout: float) -> bytes:
    from http.client import HTTPException
    from urllib.request import Request, urlopen

    until = time.monotonic() + timeout + file.bytes / SLOWEST
    content = bytearray()
    try:
        # Some mirrors turn Python's own agent away.
        with urlopen(Request(address, headers={"User-Agent": "truestep"}), timeout=timeout) as response:
            while chunk := response.read1(CHUNK):
                content += chunk
                if len(content) > file.bytes:
                    raise ValueError(f"sends more than the {file.bytes:,} bytes that were published")
                if time.monotonic() > until:
                    raise ValueError(f"is too slow ({len(content):,} bytes in {timeout + file.bytes / SLOWEST:.0f} s)")
    except HTTPException as error:
        raise ValueError(f"breaks off ({error!r})") from None
    if len(content) < file.bytes:
        raise ValueError(f"sends {len(content):,} of the {file.bytes:,} bytes that were published")
    if (found := hashlib.sha256(content).hexdigest()) != file.sha256:
        raise ValueError(f"sends other bytes (sha256 {found[:12]}..., and {file.sha256[:12]}... was published)")
    return bytes(content)
