"""The code of a notebook, cell after cell, as one program."""

from __future__ import annotations

import json
import linecache
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import truestep as ts


class Notebook:
    """The cells of an `.ipynb` file in order, read and compiled before anything of it runs.

    Lines of magic (`%matplotlib inline`, `!pip`, `?help`) are left out, and cells of another language (`%%bash`) as a
    whole. A line of a cell is named as "lesson.ipynb[3]", line 2: the second line of the third code cell.
    """

    def __init__(self, name: str) -> None:
        self.main = ModuleType("__main__")
        vars(self.main).update(__file__=str(Path(name).absolute()), __builtins__=__builtins__)
        cells = _cells(name)
        self.codes = [
            compile(_kept(f"{name}[{place}]", source), f"{name}[{place}]", "exec", dont_inherit=True)
            for place, source in enumerate(cells, 1)
        ]

    def __call__(self) -> None:
        """Run every cell."""
        sys.modules["__main__"] = self.main
        for code in self.codes:
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
    kept = [f"pass  # {line.strip()}" if line.lstrip().startswith(("%", "!", "?")) else line for line in lines]
    kept = [_indent(was) + now if now is not was else was for was, now in zip(lines, kept, strict=True)]
    text = "\n".join([*kept, ""])
    linecache.cache[place] = (len(text), None, text.splitlines(keepends=True), place)
    return text


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
