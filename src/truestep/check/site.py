"""Where in the user's own code something happens: the innermost frame that is not torch's, Python's or ours."""

from __future__ import annotations

import linecache
import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

import torch

from truestep.check.frames import RELAY

_TORCH = Path(torch.__file__).parent
_FOREIGN = tuple(
    os.path.realpath(folder) + os.sep
    for folder in {_TORCH, Path(__file__).parents[1], *map(sysconfig.get_path, ("stdlib", "purelib", "platlib"))}
)
_INSTALLED = {"site-packages", "dist-packages"}  # also of the user's own site, of a container's system, of `--target`
_MADE = ("<frozen", "<__array_function__", "<eval_with_key>", "<attrs", "<torch_package", "<@beartype")
OPTIM, DATA = f"{_TORCH / 'optim'}{os.sep}", f"{_TORCH / 'utils' / 'data'}{os.sep}"
_known: dict[str, bool] = {}
_sites: dict[Site, Site] = {}  # a loop comes by the same lines: one object each
_places: dict[tuple[int, ...], Site] = {}  # addresses of codes and instructions -> the site
_codes: dict[int, CodeType] = {}
_end: list[CodeType | None] = [None]


class Site(NamedTuple):
    """A line of the user's; `function` is the name of the code around it, `callers` the user's lines that led there."""

    file: str
    line: int
    function: str = ""
    callers: tuple[tuple[str, int], ...] = ()

    @property
    def text(self) -> str:
        """The source line, stripped; empty where there is no file."""
        return linecache.getline(self.file, self.line).strip()

    @property
    def place(self) -> tuple[str, int]:
        """File and line alone: what identifies a line of the program."""
        return self.file, self.line


NOWHERE = Site("", 0)


def users(code: CodeType) -> bool:
    """Whether this code is the user's own."""
    name = code.co_filename
    if code.co_name == RELAY:
        return False
    found = _known.get(name)
    if found is None:
        full = os.path.realpath(name)
        foreign = full.startswith(_FOREIGN) or name.startswith(_MADE) or not _INSTALLED.isdisjoint(Path(full).parts)
        found = _known[name] = not foreign
    return found


def frame() -> FrameType | None:
    """The user's innermost frame."""
    found = sys._getframe(1)
    while found is not None and not users(found.f_code):
        found = found.f_back
    return found


def site(depth: int = 6) -> Site:
    """The user's innermost line, with at most `depth` lines of theirs that led there.

    A place is known by its codes and their instructions; what line that is, which is dear, is looked up once.
    """
    key = [depth]
    trail(key)
    made = _places.get(tuple(key))
    return _first(tuple(key)) if made is None else made


def trail(key: list[Any], most: int = 15) -> None:
    """Put the addresses of the user's codes and their instructions behind what a list holds, the innermost first.

    This is asked for at every event, between a loop's own kernels. What led to the frame below which the watch began
    stays as it is.
    """
    known, found, end = _known, sys._getframe(2), _end[-1]
    while found is not None:
        code = found.f_code
        if known.get(code.co_filename) or (code.co_filename not in known and users(code)):
            key.append(id(code))
            key.append(found.f_lasti)
            if len(key) >= most:
                break
        if code is end:
            break
        found = found.f_back


def _first(key: tuple[int, ...]) -> Site:
    """A place that the program comes to for the first time; the first of the key is the depth."""
    made = _places[key] = looked_up(key[0], 3)
    return made


def looked_up(depth: int, up: int = 2) -> Site:
    """The user's innermost line as `site` has it, of the frames from `up` above this one; it stays known."""
    path, function, found = list[tuple[str, int]](), "", sys._getframe(up)
    while found is not None and len(path) <= depth:
        code = found.f_code
        if users(code):
            function = function if path else code.co_name
            path.append((code.co_filename, found.f_lineno))
        if _known.get(code.co_filename):
            _codes[id(code)] = code  # while it lives, no other code has its address
        found = found.f_back
    return same(Site(*path[0], function, tuple(path[1:])) if path else NOWHERE)


@contextmanager
def below(frame: FrameType | None) -> Iterator[None]:
    """Inside, what led to this frame is the same for all that happens."""
    _places.clear()
    _end.append(None if frame is None else frame.f_code)
    try:
        yield
    finally:
        _end.pop()
        _places.clear()


def same(place: Site) -> Site:
    """The one object for this place."""
    return _sites.setdefault(place, place)


def below_torch(*folders: str) -> bool:
    """Whether torch's own code of these folders stands between us and the user's innermost frame."""
    found: FrameType | None = sys._getframe(1)
    while found is not None and not users(found.f_code):
        if found.f_code.co_filename.startswith(folders):
            return True
        found = found.f_back
    return False
