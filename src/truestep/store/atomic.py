"""The only writer of files: after any failure a path holds all of the old bytes or all of the new ones."""

import contextlib
import errno
import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

from truestep.core.errors import TruestepError

Bytes = bytes | bytearray | memoryview

_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.tmp")
_MENDS = {
    errno.ENOSPC: "free some space on that disk",
    errno.EDQUOT: "free some of your quota on that disk",
    errno.EACCES: "choose a folder that you may write in",
    errno.EPERM: "choose a folder that you may write in",
    errno.EROFS: "choose a folder that you may write in",
    errno.ENOENT: "make its folder first",
    errno.ENOTDIR: "a file stands where a folder is needed: move it or choose another path",
    errno.EISDIR: "a folder stands where the file should go: move it or choose another name",
    errno.EEXIST: "a file stands where the folder should go: move it or choose another name",
    errno.EFBIG: "choose another disk, or raise the limit on the size of files",
    errno.ENAMETOOLONG: "choose a shorter name",
}

# Some network and user-space file systems cannot sync a folder at all; that is no reason to refuse to write there.
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


class StoreError(TruestepError, OSError):
    """A file or folder that cannot be written; `errno` is the operating system's."""


def write_bytes(path: str | os.PathLike[str], data: Bytes) -> None:
    """Writes `data` to `path` so that a crash at any moment leaves the old file or the new one, never a mixture.

    Temporary file in the same folder, write, fsync, rename over `path`, fsync of the folder (the sequence of
    Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014). A link is followed, not replaced.
    Raises `StoreError` when the system refuses; the temporary file is then removed, and unless it was the very last
    step that failed (the fsync of the folder), `path` is as it was before.
    """
    write_parts(path, [data])


def write_parts(path: str | os.PathLike[str], parts: Iterable[Bytes], follow: bool = True) -> None:
    """Writes `parts`, one behind the other, with the promise of `write_bytes` and without joining them in memory.

    Without `follow` a link at `path` is replaced, and what it points to is left alone.
    """
    given = Path(path)
    target = Path(os.path.realpath(given if follow else given.parent), "" if follow else given.name)
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")  # not made of a name that may be as long as allowed
    try:
        _write_new(temporary, parts)
        temporary.replace(target)
        _sync_folder(target.parent)
    except BaseException as failure:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(failure, OSError):
            raise _refusal(path, "written", failure) from failure
        raise


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes `text` as UTF-8, its line ends untouched, with the promise of `write_bytes`."""
    write_bytes(path, text.encode("utf-8"))


def make_folder(path: str | os.PathLike[str]) -> bool:
    """Makes the folder and its missing parents, lastingly; True when this very call made it, False when it was there.

    Of several processes that ask for the same folder at once exactly one gets True. Raises `StoreError`.
    """
    folder = Path(os.path.realpath(path))
    try:
        missing = [each for each in (folder, *folder.parents) if not each.is_dir()]
        made = False
        for each in reversed(missing):
            made = _make_one(each)
        return made
    except OSError as failure:
        raise _refusal(failure.filename or path, "made", failure) from failure  # it may be a parent that fails


def remove(path: str | os.PathLike[str]) -> None:
    """Removes a file, or a link and not what it points to; one that is gone already is no failure.

    A power cut may bring it back: whoever removes must be able to live with that. Raises `StoreError`.
    """
    try:
        Path(path).unlink(missing_ok=True)
    except OSError as failure:
        raise _refusal(path, "removed", failure) from failure


def leftovers(folder: str | os.PathLike[str]) -> list[Path]:
    """The temporary files in `folder`: those of writers that were killed, and of one that is writing now."""
    try:
        return [each for each in Path(folder).iterdir() if _TEMPORARY.fullmatch(each.name)]
    except OSError as failure:
        raise _refusal(folder, "listed", failure) from failure


def _write_new(path: Path, parts: Iterable[Bytes]) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        for part in parts:
            rest = memoryview(part).cast("B")
            while rest:  # the system may take less than it is given, and never takes more than 2 GiB at once
                rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def _make_one(folder: Path) -> bool:
    try:
        folder.mkdir()
    except FileExistsError:
        if not folder.is_dir():
            raise
        return False
    _sync_folder(folder.parent)
    return True


def _sync_folder(folder: Path) -> None:
    """Makes a new name in `folder` outlive a power cut; Windows has no such call."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as failure:
        if failure.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(handle)


def _refusal(path: str | os.PathLike[str], what: str, failure: OSError) -> StoreError:
    reason = (failure.strerror or str(failure)).lower()
    mend = _MENDS.get(failure.errno or 0)
    refusal = StoreError(f"{os.fspath(path)} cannot be {what}: {reason}" + (f"; {mend}" if mend else ""))
    refusal.errno = failure.errno
    return refusal
