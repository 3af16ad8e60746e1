"""Where in the user's own code something happens: the innermost frame that is not torch's, Python's or ours."""

from __future__ import annotations

import linecache
import os
import sys
import sysconfig
from pathlib import Path
from types import CodeType, FrameType
from typing import NamedTuple

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

    It is asked for at every event, between a loop's own kernels: so a place is known by its code and its instruction,
    which cost next to nothing, and what line that is, which is dear, is looked up once.
    """
    known, key, most, found = _known, list[int](), 2 * depth + 2, sys._getframe(1)
    while found is not None:
        code = found.f_code
        if known.get(code.co_filename) or (code.co_filename not in known and users(code)):
            key.append(id(code))
            key.append(found.f_lasti)
            if len(key) >= most:
                break
        found = found.f_back
    made = _places.get(tuple(key))
    return _first(tuple(key), depth) if made is None else made


def _first(key: tuple[int, ...], depth: int) -> Site:
    """A place that the program comes to for the first time."""
    path, function, found = list[tuple[str, int]](), "", sys._getframe(2)
    while found is not None and len(path) <= depth:
        code = found.f_code
        if users(code):
            _codes[id(code)] = code  # while it lives, no other code has its address
            function = function if path else code.co_name
            path.append((code.co_filename, found.f_lineno))
        found = found.f_back
    made = Site(*path[0], function, tuple(path[1:])) if path else NOWHERE
    made = _places[key] = _sites.setdefault(made, made)
    return made


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
