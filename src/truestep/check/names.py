"""What the user's names stand for at a moment: plain values as they are, tensors, modules and optimizers by number."""

from __future__ import annotations

from collections.abc import Mapping
from types import FrameType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import Dataset

from truestep.check import site
from truestep.check.numbers import Numbers

FRAMES = 3
NAMES = 80
_OURS = ("torch", "builtins", "numpy", "collections", "typing", "functools", "types")


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
    """The names that say something, and the attributes of the user's own objects as "name.attribute"."""
    found: dict[str, Any] = {}
    for name, value in list(names.items())[-NAMES:]:
        if name.startswith("__") or isinstance(value, ModuleType | type):
            continue
        told = told_as(value, numbers)
        if told is not _NOTHING:
            found[name] = told
        own = type(value).__module__.partition(".")[0] not in _OURS
        if own or isinstance(value, nn.Module):
            attributes = getattr(value, "__dict__", {})
            for inner, held in list(attributes.items())[:NAMES]:
                told = told_as(held, numbers)
                if told is not _NOTHING and not inner.startswith("_"):
                    found[f"{name}.{inner}"] = told
    return found


_NOTHING = object()


def told_as(value: Any, numbers: Numbers) -> Any:
    """A value in the words of `events.Names`."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value[:80]
    if isinstance(value, Tensor):
        return ("tensor", numbers.of(value), numbers.storage(value))
    if isinstance(value, nn.Module):
        return ("module", numbers.of(value))
    if isinstance(value, Optimizer):
        return ("optimizer", numbers.of(value))
    if isinstance(value, Dataset):
        return ("data", numbers.of(value))
    if isinstance(value, dict):
        tensors = [each for each in list(value.values())[:200] if isinstance(each, torch.Tensor)]
        return ("dict", numbers.of(value), tuple(numbers.storage(each) for each in tensors))
    if isinstance(value, list | tuple):
        return ("list", len(value), tuple(v for v in value[:64] if isinstance(v, bool | int | float)))
    return _NOTHING
