"""Two bad disks: one that refuses, and one that forgets what a POSIX file system may forget when the power is cut.

Promised is only this: data of a file once its fsync returned, and names in a folder once the folder's fsync returned.
Anything later may be there, missing, torn, or there without what was done before it; a rename is two changes, of which
either may have reached the disk alone. Model: Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014.
"""

import errno
import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

Files = dict[str, bytes]
Change = tuple[str, "Inode | None", bool]  # path, inode, whether it is there


@dataclass
class Inode:
    """A file without its name; `flushed` bytes of `data` are promised."""

    data: bytes = b""
    flushed: int = 0

    def variants(self, pieces: int) -> list[bytes]:
        """What may be found of it: what was promised, and of the rest up to `pieces` pieces, any of them as zeros."""
        done, rest = self.data[: self.flushed], self.data[self.flushed :]
        cut = [rest[len(rest) * k // pieces : len(rest) * (k + 1) // pieces] for k in range(pieces if rest else 0)]
        found = []
        for count in range(len(cut), -1, -1):
            for torn in itertools.product([False, True], repeat=count):
                ends = [bytes(len(piece)) if gone else piece for piece, gone in zip(cut, torn, strict=False)]
                found.append(done + b"".join(ends))
        return found


@dataclass
class Disk:
    """The state of one disk: names that are promised, and changes of names that are not yet, each (path, inode)."""

    names: dict[str, Inode | None] = field(default_factory=dict)  # None is a folder
    pending: list["Change"] = field(default_factory=list)
    now: dict[str, Inode | None] = field(default_factory=dict)  # as the living process sees it

    def change(self, path: str, inode: Inode | None, there: bool = True) -> None:
        self.pending.append((path, inode, there))
        if there:
            self.now[path] = inode
        else:
            self.now.pop(path, None)

    def sync_folder(self, folder: str) -> None:
        settled = [each for each in self.pending if os.path.dirname(each[0]) == folder]
        self.pending = [each for each in self.pending if each not in settled]
        apply(self.names, settled)

    def after_a_cut(self, pieces: int) -> Iterator[Files]:
        """Every set of files that may be found; a folder that is lost takes what is in it along."""
        for count in range(len(self.pending) + 1):
            for chosen in itertools.combinations(self.pending, count):
                names = dict(self.names)
                apply(names, chosen)
                found = {path: inode for path, inode in names.items() if inode is not None and rooted(path, names)}
                for datas in itertools.product(*(inode.variants(pieces) for inode in found.values())):
                    yield dict(zip(found, datas, strict=True))


def apply(names: dict[str, Inode | None], changes: Iterable[Change]) -> None:
    for path, inode, there in changes:
        if there:
            names[path] = inode
        else:
            names.pop(path, None)


def rooted(path: str, names: dict[str, Inode | None]) -> bool:
    """Whether all folders above are there."""
    above = os.path.dirname(path)
    return above == "" or (above in names and rooted(above, names))


class Recorder:
    """Writes down what real code asks of the operating system below `root`; `told` marks what was promised."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self.log: list[tuple[Any, ...]] = []
        self.handles: dict[int, str] = {}

    def place(self, path: object) -> str:
        return os.fspath(path).removeprefix(self.root).removeprefix("/")  # the root itself is ""

    def told(self, what: object) -> None:
        self.log.append(("told", what))

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        for name in ("open", "write", "fsync", "close", "replace", "mkdir", "unlink"):
            patch.setattr(os, name, self._wrap(name, getattr(os, name)))

    def _wrap(self, name: str, real):
        def call(*args, **kwargs):
            result = real(*args, **kwargs)
            getattr(self, f"_{name}")(result, *args)
            return result

        return call

    def _open(self, handle, path, flags, *_):
        self.handles[handle] = self.place(path)
        if flags & os.O_CREAT:
            self.log.append(("create", self.handles[handle]))

    def _write(self, count, handle, data):
        self.log.append(("write", self.handles[handle], bytes(data[:count])))

    def _fsync(self, _, handle):
        self.log.append(("fsync", self.handles[handle]))

    def _close(self, _, handle):
        self.handles.pop(handle, None)

    def _replace(self, _, source, target):
        self.log.append(("replace", self.place(source), self.place(target)))

    def _mkdir(self, _, path, *__):
        self.log.append(("mkdir", self.place(path)))

    def _unlink(self, _, path):
        self.log.append(("unlink", self.place(path)))


def cuts(log, pieces: int) -> Iterator[tuple[object, Files]]:
    """For a power cut after each entry: what the program had been told, and each set of files that may be left."""
    disk, told = Disk(), None
    yield from ((told, files) for files in disk.after_a_cut(pieces))
    for kind, subject, *more in log:
        match kind:
            case "told":
                told = subject
            case "create":
                disk.change(subject, Inode())
            case "write":
                disk.now[subject].data += more[0]
            case "fsync" if subject == "" or disk.now[subject] is None:
                disk.sync_folder(subject)
            case "fsync":
                disk.now[subject].flushed = len(disk.now[subject].data)
            case "replace":
                disk.change(more[0], disk.now[subject])
                disk.change(subject, None, there=False)
            case "mkdir":
                disk.change(subject, None)
            case "unlink":
                disk.change(subject, None, there=False)
        yield from ((told, files) for files in disk.after_a_cut(pieces))


class BadDisk:
    """Lets the first `sound` calls to the operating system pass and fails the next one, or all that follow."""

    def __init__(self, patch, sound=10**9, number=errno.EIO, for_good=False):
        self.made, self.failed, self.sound, self.number, self.for_good = 0, 0, sound, number, for_good
        for name in ("open", "write", "fsync", "replace", "close", "unlink", "mkdir", "listdir", "stat"):
            patch.setattr(os, name, self.wrap(name, getattr(os, name)))

    def wrap(self, name, real):
        def call(*args, **kwargs):
            self.made += 1
            if self.made == self.sound + 1 or (self.for_good and self.made > self.sound):
                self.failed += 1
                if name == "close":
                    real(*args, **kwargs)  # as Linux does: the handle is gone, and the error tells of lost bytes
                elif name == "write" and self.number == errno.ENOSPC:
                    real(args[0], args[1][: len(args[1]) // 2])  # a disk fills up in the middle
                raise OSError(self.number, os.strerror(self.number))
            return real(*args, **kwargs)

        return call
