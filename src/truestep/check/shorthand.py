"""Between close looks the record is kept in shorthand: whole numbers in one array, told as events at the end.

A loop comes by the same lines with tensors of the same shapes. What such events have in common is kept once, as a
form; each one is the number of its form and what varies: a few integers and, for each tensor, its own number, that of
its memory and its version. Nothing of it concerns the garbage collector.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._C import _len_torch_function_stack as modes
from torch._C._functorch import peek_interpreter_stack
from torch.nn import Parameter

from truestep.check.changes import Backward, Clear, Step
from truestep.check.events import Batch, Event, Forward, Number
from truestep.check.looks import Seen
from truestep.check.numbers import Numbers
from truestep.check.site import Site, looked_up, trail

_REAL, _WHOLE = struct.Struct("=d"), struct.Struct("=q")


class Form(NamedTuple):
    """What events have in common: facts (`same`), how many integers vary (`whole`), and the common facts of tensors."""

    kind: type[Event]
    site: Site
    same: tuple[Any, ...]
    whole: int
    tensors: tuple[tuple[tuple[int, ...], torch.dtype, bool, str], ...]


class Shorthand:
    """Events in shorthand; `told` makes events of them."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._known: dict[tuple[Any, ...], int] = {}  # what is common to events -> its form
        self._forms: list[Form] = []
        self._written = array("q")
        self.count = 0

    def write(
        self, n: int, update: int, kind: type[Event], same: tuple[Any, ...], varied: Sequence[int],
        tensors: tuple[Tensor, ...], depth: int,
    ) -> bool:  # fmt: skip
        """Write an event; False, and nothing is written, where a tensor is not one that can be read quickly."""
        if tensors and (modes() or peek_interpreter_stack() is not None):
            return False
        key, own, note = [kind, same, len(varied)], [0, n, update], self._numbers.note
        try:
            for one in tensors:
                if type(one) is not Tensor and type(one) is not Parameter:
                    return False
                node = one.grad_fn
                key += one.shape, one.dtype, one.requires_grad, "" if node is None else node.name()
                note(own, one)
        except (RuntimeError, NotImplementedError):
            return False
        trail(key)
        which = self._known.get(tuple(key))
        if which is None:
            which = self._known[tuple(key)] = len(self._forms)
            told = [(tuple(key[at]), *key[at + 1 : at + 4]) for at in range(3, 3 + 4 * len(tensors), 4)]
            self._forms.append(Form(kind, looked_up(depth), same, len(varied), tuple(told)))  # which keeps the place
        own[0] = which
        self._written.fromlist(own)
        if varied:
            self._written.extend(varied)
        self.count += 1
        return True

    def told(self) -> Iterator[Event]:
        """The events, in order."""
        forms, written, at = self._forms, self._written, 0
        while at < len(written):
            form = forms[written[at]]
            n, update = written[at + 1 : at + 3]
            at += 3
            tensors = []
            for shape, dtype, needs_grad, maker in form.tensors:
                number, storage, version = written[at : at + 3]
                at += 3
                tensors.append(
                    Seen(number, storage, shape, str(dtype).removeprefix("torch."), needs_grad, not maker,
                         version, maker)
                )  # fmt: skip
            varied, at = tuple(written[at : at + form.whole]), at + form.whole
            facts = FACTS[form.kind](form.same, varied, tuple(tensors))
            yield form.kind(n=n, site=form.site, update=update, close=False, **facts)


def bits(value: float) -> int:
    """A real number as a whole one of the same bits."""
    return _WHOLE.unpack(_REAL.pack(value))[0]


def _real(whole: int) -> float:
    return _REAL.unpack(_WHOLE.pack(whole))[0]


Facts = Callable[[tuple[Any, ...], Sequence[int], tuple[Seen, ...]], dict[str, Any]]


def _batch(same: Any, varied: Any, tensors: Any) -> dict[str, Any]:
    loader, known = same
    return {
        "loader": loader, "run": varied[-2], "place": varied[-1], "index": tuple(varied[:-2]) if known else None,
        "tensors": tensors,
    }  # fmt: skip


def _forward(same: Any, varied: Any, tensors: Any) -> dict[str, Any]:
    module, kind, training, grad, autocast, inputs = same
    return {
        "module": module, "kind": kind, "depth": 0, "training": training, "grad": grad, "autocast": autocast,
        "inputs": tensors[:inputs], "outputs": tensors[inputs:], "began": varied[0],
    }  # fmt: skip


def _backward(same: Any, varied: Any, tensors: Any) -> dict[str, Any]:
    how, seeded, kept, made, nested = same
    return {
        "how": how, "seeded": seeded, "kept": kept, "made": made, "nested": nested, "roots": tensors, "leaves": (),
        "nodes": (),
    }  # fmt: skip


def _step(same: Any, varied: Any, tensors: Any) -> dict[str, Any]:
    optimizer, kind, closure, nested = same
    return {
        "optimizer": optimizer, "kind": kind, "rates": tuple(map(_real, varied[1:])), "closure": closure,
        "nested": nested, "moved": (), "began": varied[0],
    }  # fmt: skip


def _clear(same: Any, varied: Any, tensors: Any) -> dict[str, Any]:
    how, owner, held = same
    return {"how": how, "owner": owner, "held": tuple((number, None) for number in held)}


def _number(same: Any, varied: Any, tensors: Any) -> dict[str, Any]:
    return {"how": same[0], "value": _real(varied[0]) if varied else None, "of": tensors[0]}


FACTS: dict[type[Event], Facts] = {
    Batch: _batch, Forward: _forward, Backward: _backward, Step: _step, Clear: _clear, Number: _number,
}  # fmt: skip
"""Of each kind that is written so: its facts, made of what is the same, of what varies, and of its tensors."""
