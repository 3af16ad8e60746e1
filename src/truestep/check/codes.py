"""By which mapping of the user's, as `{"cat": 0, "dog": 1}`, words or labels became the whole numbers of a tensor.

Numbers do not say what they stood for. But where a list becomes a tensor, the mapping stands near by: in what the
statement, or the function around it, names. If just one mapping there holds the numbers, it is written down with them.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from types import CodeType, FrameType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from truestep.check import site
from truestep.check.classes import classes
from truestep.check.events import Op
from truestep.check.looks import seen
from truestep.check.spelling import spelt

if TYPE_CHECKING:
    from truestep.check.recorder import Recorder

LEAST, LARGEST = 3, 1 << 16
"""Words of a mapping."""
NUMBERS, KEPT = 256, 512
"""Numbers of a list that are looked at, and words of a mapping that are kept."""
LOOKS, MAPPINGS, OFTEN = 1500, 16, 300
"""Lists, and mappings, of a run that are looked at, and lists of one line in one object."""
HEAVY = 5000
"""Words for which looking through a mapping counts as one more list."""
MOST, DEEP = 40, 2
WHOLE = {torch.int64, torch.int32, torch.int16, torch.uint8}


class Codes:
    """Writes an `Op` "coded" for such a tensor, with the place of its mapping among those of the run."""

    def __init__(self) -> None:
        self._looks = 0
        self._places: Counter[tuple[int, int, int]] = Counter()
        self._known: list[dict[str, int]] = []

    def take(self, recorder: Recorder, given: Any, made: Any) -> None:
        """Look for the mapping behind a list, or an array of numpy's, that has just become a tensor."""
        listed = isinstance(given, list) or type(given).__module__ == "numpy"
        if not listed or not isinstance(made, Tensor) or made.dtype not in WHOLE:
            return
        frame = site.frame()
        if self._looks >= LOOKS or frame is None or (made.numel() < 2 and not recorder.fetching):
            return
        where = id(frame.f_code), frame.f_lineno, id(frame.f_locals.get("self"))
        self._places[where] += 1
        if self._places[where] > OFTEN:
            return
        self._looks += 1
        mapping, found = self._behind(frame, made)
        if mapping is None:
            return
        how = spelt(frame, made, mapping)
        place = self._place(mapping) if found or how is not None else None
        if place is not None:
            out = (seen(made, recorder.numbers, rows=made.dim() > 1),)
            words = {"codes": self._known[place], "spelt": how}
            recorder.emit(Op, name="coded", args=(place,), words=words, out=out, grad=False)

    def _behind(self, frame: FrameType, made: Tensor) -> tuple[dict[Any, int] | None, bool]:
        """The one mapping near by, and whether it holds all the numbers; where there is none, a list of classes may."""
        numbers = set(made.flatten()[:NUMBERS].tolist())
        found: dict[int, dict[Any, int]] = {}
        near: dict[int, dict[Any, int]] = {}
        held = _held(frame)
        for each in (one for value in held for one in _within(value, DEEP)):
            self._looks += len(each) // HEAVY
            near[id(each)] = each
            if id(each) not in found and numbers <= set(each.values()):
                found[id(each)] = each
        if not near and made.dim() == 1:
            listed = classes(held, made)
            return listed, listed is not None
        return (next(iter((found or near).values())), bool(found)) if len(found or near) == 1 else (None, False)

    def _place(self, mapping: dict[Any, int]) -> int | None:
        told = {repr(word)[:40]: code for word, code in islice(mapping.items(), KEPT)}
        if told not in self._known:
            if len(self._known) >= MAPPINGS:
                return None
            self._known.append(told)
        return self._known.index(told)


def _held(frame: FrameType) -> list[Any]:
    """What a statement names, or the function around it."""
    code = frame.f_code
    if code.co_name == "<module>":
        names = _named(code.co_filename, frame.f_lineno)
    else:
        names = {*code.co_names, *code.co_varnames, *code.co_cellvars, *code.co_freevars, *_inner(code)}
    spaces = {**{name: frame.f_globals[name] for name in names if name in frame.f_globals}, **frame.f_locals}
    return [spaces[name] for name in sorted(names) if name in spaces][:MOST]


def _within(value: Any, depth: int) -> Iterator[dict[Any, int]]:
    """A value if it is a mapping; those that an object of the user's holds, or a function of the user's names."""
    if isinstance(value, dict):
        few = list(islice(value.items(), LEAST))
        plain = all(isinstance(word, str | int | float | tuple) and type(code) is int for word, code in few)
        if len(few) == LEAST and len(value) <= LARGEST and plain and all(type(each) is int for each in value.values()):
            yield value
        return
    if not depth:
        return
    if isinstance(value, MethodType):
        yield from _within(value.__self__, depth - 1)
    elif isinstance(value, FunctionType) and site.users(value.__code__):
        names = [*value.__code__.co_names, *_inner(value.__code__)]
        inner = [value.__globals__[name] for name in names if name in value.__globals__]
        inner += [cell.cell_contents for cell in value.__closure__ or () if _filled(cell)]
        for each in inner[:MOST]:
            yield from _within(each, depth - 1)
    elif not isinstance(value, type) and type(value).__module__ not in ("torch", "numpy", "builtins"):
        for each in list(getattr(value, "__dict__", {}).values())[:MOST]:
            yield from _within(each, depth - 1)


def _inner(code: CodeType) -> Iterator[str]:
    """The names in the functions and comprehensions within a function."""
    yield from (name for each in code.co_consts if isinstance(each, CodeType) for name in each.co_names)


def _filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _named(file: str, line: int) -> set[str]:
    """The names in a statement of a file, and in what was last given to them above it."""
    from truestep.check.rules._source import tree_of

    tree = tree_of(file)
    body = [] if tree is None else [each for each in ast.walk(tree) if isinstance(each, ast.stmt)]
    around = [each for each in body if each.lineno <= line <= (each.end_lineno or 0) and not hasattr(each, "body")]
    names = {each.id for one in around for each in ast.walk(one) if isinstance(each, ast.Name)}
    for name in list(names):
        above = [
            each for each in body
            if isinstance(each, ast.Assign) and each.lineno < line and name in map(ast.unparse, each.targets)
        ]  # fmt: skip
        last = max(above, key=lambda each: each.lineno, default=None)
        names |= {each.id for each in ast.walk(last.value) if isinstance(each, ast.Name)} if last else set()
    return names
