"""The code of a notebook, cell after cell, as one program."""

from __future__ import annotations

import json
import linecache
import re
import sys
import tokenize
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import truestep as ts

MAGIC = re.compile(r"\s*([%!?]|[\w.]+\?{1,2}\s*$)")
"""How a line begins that is IPython's and not Python's: `%matplotlib inline`, `!pip`, `?help`, and `help?`."""


class Notebook:
    """The cells of an `.ipynb` file in order, read and compiled before anything of it runs.

    Lines of magic (`%matplotlib inline`, `!pip`, `?help`) are left out, and cells of another language (`%%bash`) as a
    whole. A line of a cell is named as "lesson.ipynb[3]", line 2: the second line of the third code cell.
    """

    def __init__(self, name: str) -> None:
        self.main = ModuleType("__main__")
        vars(self.main).update(__file__=str(Path(name).absolute()), __builtins__=__builtins__)
        self.cells = {(place := f"{name}[{number}]"): _kept(place, text) for number, text in enumerate(_cells(name), 1)}

    def __call__(self) -> None:
        """Run every cell."""
        codes = [compile(text, place, "exec", dont_inherit=True) for place, text in self.cells.items()]
        sys.modules["__main__"] = self.main
        for code in codes:
            exec(code, vars(self.main))


def _cells(name: str) -> list[str]:
    try:
        told: Any = json.loads(Path(name).read_bytes())
        return ["".join(cell["source"]) for cell in told["cells"] if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError):
        raise ts.ConfigError(f"{name} is no notebook: give an .ipynb file with cells, of format 4.") from None


def _kept(place: str, source: str) -> str:
    """The cell without magic, its lines counted as ever; tracebacks and findings find its text by `place`."""
    lines = source.splitlines()
    if lines and lines[0].startswith("%%") and not lines[0].startswith(("%%time", "%%capture")):
        lines = []
    kept = list[str]()
    for line in lines:
        plain = not MAGIC.match(line) or _open(kept)
        kept.append(line if plain else f"{_indent(line)}pass  # {line.strip()}")
    text = "\n".join([*kept, ""])
    linecache.cache[place] = (len(text), None, text.splitlines(keepends=True), place)
    return text


def _open(lines: Sequence[str]) -> bool:
    """Whether a bracket or a string of these lines is still open: then `% total` in the next one is a remainder."""
    if lines and lines[-1].endswith("\\"):
        return True
    try:
        for _ in tokenize.generate_tokens(StringIO("".join(f"{line}\n" for line in lines)).readline):
            pass
    except tokenize.TokenError:
        return True
    except IndentationError:
        return False
    return False


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
