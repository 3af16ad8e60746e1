"""Where in the user's own code something happens: the innermost frame that is not torch's, Python's or ours."""

from __future__ import annotations

import linecache
import os
import sys
import sysconfig
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

import torch

_TORCH = Path(torch.__file__).parent
_FOREIGN = tuple(
    os.path.realpath(folder) + os.sep
    for folder in {_TORCH, Path(__file__).parents[1], *map(sysconfig.get_path, ("stdlib", "purelib", "platlib"))}
)
_INSTALLED = {"site-packages", "dist-packages"}  # also of the user's own site, of a container's system, of `--target`
_MADE = ("<frozen", "<__array_function__", "<eval_with_key>", "<attrs", "<torch_package", "<@beartype")
OPTIM, DATA = f"{_TORCH / 'optim'}{os.sep}", f"{_TORCH / 'utils' / 'data'}{os.sep}"
_known: dict[str, bool] = {}
_sites: dict[tuple[Any, ...], Site] = {}  # a loop comes by the same lines: one object each


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
    """The user's innermost line, with at most `depth` lines of theirs that led there."""
    known, path, found = _known, list[Any](), sys._getframe(1)
    while found is not None and len(path) < 2 * depth + 3:  # a function, its line, and the lines that led there
        code = found.f_code
        if known.get(code.co_filename) or (code.co_filename not in known and users(code)):
            if not path:
                path.append(code.co_name)
            path += code.co_filename, found.f_lineno
        found = found.f_back
    key = tuple(path)
    made = _sites.get(key)
    if made is None:
        made = _sites[key] = _site(path)
    return made


def _site(path: list[Any]) -> Site:
    if not path:
        return NOWHERE
    function, file, line, *callers = path
    return Site(file, line, function, tuple(zip(callers[::2], callers[1::2], strict=True)))


def below_torch(*folders: str) -> bool:
    """Whether torch's own code of these folders stands between us and the user's innermost frame."""
    found: FrameType | None = sys._getframe(1)
    while found is not None and not users(found.f_code):
        if found.f_code.co_filename.startswith(folders):
            return True
        found = found.f_back
    return False
