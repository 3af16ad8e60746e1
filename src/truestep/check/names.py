"""What the user's names stand for at a moment: plain values as they are, tensors, modules and optimizers by number.

What a name holds inside goes by the words of the source: "self.best", "best['loss']", "history[-1][0]".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from types import FrameType, ModuleType
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import Dataset

from truestep.check import site
from truestep.check.looks import plain
from truestep.check.numbers import Numbers

FRAMES = 3
NAMES = 80
DEEP = 3  # self.best['params'][0] is as deep as anyone looks
WEIGHTS = 32  # of a list or a dict so many are told by their names
MOST = 240  # what is told of one frame
_OURS = ("torch", "builtins", "numpy", "collections", "typing", "functools", "types")
_LISTS = (list, tuple, deque)  # exactly these: a class of the user's may answer with code of its own


def of_frames(numbers: Numbers) -> dict[str, Any]:
    """The names of the user's innermost frames; an inner name hides an outer one."""
    frame: FrameType | None = site.frame()
    found: dict[str, Any] = {}
    frames = 0
    while frame is not None and frames < FRAMES:
        if site.users(frame.f_code):
            frames += 1
            found = {**of_names(dict(frame.f_locals), numbers), **found}
        frame = frame.f_back
    return found


def of_names(names: Mapping[str, Any], numbers: Numbers) -> dict[str, Any]:
    """The names that say something, and what the user's own objects and containers hold."""
    found: dict[str, Any] = {}
    inner: list[tuple[str, Any]] = []
    for name, value in list(names.items())[-NAMES:]:
        if not name.startswith("__") and not isinstance(value, ModuleType | type):
            _tell(found, name, value, numbers)
            inner.append((name, value))
    for _ in range(DEEP):  # the shallow ones first: what is deepest is left out where there is too much
        inner = [(path + key, held) for path, value in inner for key, held in _inside(value, "." not in path)]
        inner = inner[: max(MOST - len(found), 0)]
        for path, held in inner:
            _tell(found, path, held, numbers)
    return found


def _tell(found: dict[str, Any], path: str, value: Any, numbers: Numbers) -> None:
    told = told_as(value, numbers)
    if told is not _NOTHING:
        found[path] = told


def _inside(value: Any, outer: bool) -> Iterator[tuple[str, Any]]:
    """What a value holds, with the words for it: of a list the first and the last, and what all of them have."""
    if isinstance(value, Optimizer) and type(value).__module__.startswith("torch."):  # which has no such attribute
        yield from ((".lr", held) for held in (vars(value).get("lr"),) if isinstance(held, float))
    if isinstance(value, str | bytes | Tensor | Optimizer | ModuleType | type) or value is None:
        return
    if type(value) in _LISTS:
        yield from ((f"[{place}]", held) for place, held in enumerate(islice(value, WEIGHTS)) if _trained(held))
        if value and not isinstance(value[-1], str | bool | int | float | Tensor):
            yield from (("[0]", value[0]), ("[-1]", value[-1])) if len(value) > 1 else (("[0]", value[0]),)
        elif type(value) is tuple and 0 < len(value) <= 8:
            yield from ((f"[{place}]", held) for place, held in enumerate(value))
        yield from _columns(list(value)[-64:])
    elif isinstance(value, dict):
        items = list(dict.items(value))[:NAMES]
        yield from ((f"[{key!r}]", held) for key, held in items[:WEIGHTS] if _trained(held))
        if not all(isinstance(held, Tensor) for _, held in items):
            yield from ((f"[{key!r}]", held) for key, held in items if isinstance(key, str | int | float))
            rows = [held for _, held in items]
            yield from _columns(rows)
            if rows and all(_real(held) for held in rows):
                yield "[:]", rows
    elif type(value).__module__.partition(".")[0] not in _OURS or (outer and isinstance(value, nn.Module)):
        fields, held = (getattr(value, "_fields", ()), tuple(value)) if isinstance(value, tuple) else ((), ())
        yield from ((f".{name}", each) for name, each in zip(fields, held, strict=False))
        attributes = getattr(value, "__dict__", {})
        yield from ((f".{name}", held) for name, held in list(attributes.items())[:NAMES] if name[:1] != "_")


def _columns(rows: list[Any]) -> Iterator[tuple[str, Any]]:
    """The numbers that each row of a table holds at one place: `history[:][0]`, `history[:]['loss']`."""
    kind = type(rows[0]) if rows else None
    if kind is None or any(type(row) is not kind for row in rows):
        return
    if kind in (tuple, list):
        found = {f"[{place}]": [row[place] for row in rows] for place in range(min(8, *map(len, rows)))}
    else:
        own = kind.__module__.partition(".")[0] not in _OURS
        tables = rows if kind is dict else [vars(row) if own and hasattr(row, "__dict__") else {} for row in rows]
        keys = [key for key in list(tables[0])[:8] if all(key in table for table in tables)]
        found = {f"[{key!r}]" if kind is dict else f".{key}": [table[key] for table in tables] for key in keys}
    for key, held in found.items():
        if all(_real(each) for each in held):
            yield f"[:]{key}", held


def _trained(value: Any) -> bool:
    """Whether it is a tensor that is differentiated for, as the weights of a model written by hand."""
    return isinstance(value, Tensor) and value.requires_grad and value.is_leaf


def _real(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def plainly(value: Any) -> Any:
    """A number as Python's own: one of numpy's (`np.float64` is a float) compared with a tuple gives an array."""
    if type(value) in (float, int, bool) or not isinstance(value, int | float):
        return value
    return float(value) if isinstance(value, float) else int(value)


_NOTHING = object()


def told_as(value: Any, numbers: Numbers) -> Any:
    """A value in the words of `events.Names`."""
    if value is None or isinstance(value, bool | int | float):
        return plainly(value)
    if isinstance(value, str):
        return value[:80]
    if (
        type(value).__module__ == "numpy"
        and getattr(value, "ndim", 9) < 2
        and value.size <= 64
        and value.dtype.kind in "iuf"
    ):
        value = value.tolist()
        return value if isinstance(value, int | float) else ("list", len(value), tuple(value), ())
    lent = None if isinstance(value, Tensor) else _lent(value)
    if lent is not None:
        return ("tensor", numbers.of(lent), numbers.storage(lent))
    if isinstance(value, Tensor):
        single = value.numel() == 1 and value.device.type == "cpu" and plain(value) and not value.is_complex()
        number = (float(value.detach()),) if single else ()
        return ("tensor", numbers.of(value), numbers.storage(value), *number)
    if isinstance(value, nn.Module):
        return ("module", numbers.of(value))
    if isinstance(value, Optimizer):
        return ("optimizer", numbers.of(value))
    if isinstance(value, Dataset):
        return ("data", numbers.of(value))
    if isinstance(value, dict):
        return ("dict", numbers.of(value), _storages(list(dict.values(value))[:200], numbers))
    if isinstance(value, list | tuple):
        told = tuple(v for v in value[:64] if isinstance(v, bool | int | float))
        return ("list", len(value), told, _storages(value[:64], numbers))
    return _NOTHING


def _storages(held: Sequence[Any], numbers: Numbers) -> tuple[int, ...]:
    """The memory of the tensors among some values, and of the arrays that have theirs from a tensor."""
    found = (each if isinstance(each, Tensor) else _lent(each) for each in held)
    return tuple(numbers.storage(each) for each in found if each is not None)


def _lent(value: Any) -> Tensor | None:
    """The tensor whose memory an array of numpy's shows, as `tensor.numpy()` does; None for any other value."""
    for _ in range(8):
        if isinstance(value, Tensor):
            return value
        if type(value).__module__ != "numpy" or getattr(value, "base", None) is None:
            return None
        value = value.base
    return None
