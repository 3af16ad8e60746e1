"""The plain data of a checkpoint: JSON in one fixed spelling, numbers exact, nothing that could become code."""

import json
from collections.abc import Iterator
from typing import Any

from truestep.core.errors import CheckpointError

MOST_PLAIN = 2**26  # bytes
MOST_ITEMS = 2**20  # of lists and dicts together: in memory each is many times its text
MOST_DEEP = 100  # lists and dicts within one another

_KINDS = (type(None), bool, int, float, str)  # exactly these: a subclass would come back as something else


def to_text(plain: dict[str, Any], types: dict[str, str]) -> bytes:
    """Plain data, and the types that a header has no code for, as JSON with Python's NaN and Infinity.

    Raises `CheckpointError` for what would not come back as it is.
    """
    if type(plain) is not dict:
        raise CheckpointError(f"the plain data of a checkpoint are a dict, not of type {type(plain).__name__}")
    for fault in _faults(plain, "plain", 0):
        raise CheckpointError(f"a checkpoint cannot hold {fault}")
    try:
        text = _spell({"plain": plain, "types": types})
    except ValueError as failure:  # whole numbers of thousands of digits
        raise CheckpointError(f"a checkpoint cannot hold these plain data: {failure}") from failure
    if len(text) > MOST_PLAIN or _items(text) > MOST_ITEMS:
        much = f"{len(text):,} bytes with {_items(text):,} items of plain data, only {MOST_PLAIN:,} with {MOST_ITEMS:,}"
        raise CheckpointError(f"a checkpoint cannot hold {much}: make tensors of long lists")
    return text


def from_text(text: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    """What `to_text` was given. Raises `ValueError` for any other text, whatever it would mean."""
    if _items(text) > MOST_ITEMS:
        raise ValueError("they have too many items")
    try:
        held = json.loads(text)
    except RecursionError:
        raise ValueError("they are nested too deeply") from None
    match held:
        case {"plain": dict() as plain, "types": dict() as types} if not any(_faults([plain, types], "", -1)):
            if _spell(held) == text and all(isinstance(name, str) for name in types.values()):
                return plain, types
    raise ValueError("they have repeated keys, or are not as truestep writes them")


def _spell(plain: object) -> bytes:
    return json.dumps(plain, separators=(",", ":")).encode("ascii")


def _items(text: bytes) -> int:
    """At least as many as there are in it; signs within strings are counted too."""
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def _faults(value: object, place: str, depth: int) -> Iterator[str]:
    """What is not plain in `value`, in words."""
    if depth > MOST_DEEP:
        yield f"{place[:60]}...: it lies deeper than {MOST_DEEP} lists and dicts"
    elif type(value) is dict:
        for key, each in value.items():
            if type(key) is not str:
                yield f"the key {key!r} of {place}: keys are text"
            yield from _faults(each, f"{place}[{key!r}]", depth + 1)
    elif type(value) is list:
        for number, each in enumerate(value):
            yield from _faults(each, f"{place}[{number}]", depth + 1)
    elif type(value) not in _KINDS:
        yield f"{place}, which is of type {type(value).__name__}: only dict, list, str, int, float, bool and None"
