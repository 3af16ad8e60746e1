"""Sees numbers leave tensors, and gradients cleared by hand, between close looks: there the mode is off."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from types import FunctionType
from typing import Any

import torch
from torch import Tensor

from truestep.check import site
from truestep.check.events import Number
from truestep.check.looks import GRAD
from truestep.check.mode import NUMBERS, Seeing, value_of
from truestep.check.patches import called, exchanged, replaced
from truestep.check.recorder import Recorder
from truestep.check.shorthand import bits


def watches(recorder: Recorder, seeing: Seeing) -> Iterator[AbstractContextManager[None]]:
    """The methods of a tensor that are replaced; while the mode is on they do nothing of their own."""
    reads = _Reads(recorder, seeing)
    for name in sorted(NUMBERS):
        yield exchanged(Tensor, name, partial(reads.reading, name))
    yield replaced(Tensor, "zero_", reads.zeroed)
    yield reads.gradients()


EXACT = {"item", "__float__"}
"""Of those the number that comes out is the tensor's own."""


class _Grad(property):
    """The gradient of a tensor, under the name by which a mode of torch functions knows it."""

    __name__ = "grad"


class _Reads:
    """What these methods do, and what is written down of it."""

    def __init__(self, recorder: Recorder, seeing: Seeing) -> None:
        self._recorder, self._seeing = recorder, seeing

    @property
    def _alone(self) -> bool:
        recorder = self._recorder
        if self._seeing.on or recorder.busy or recorder.stepping or not recorder.live:
            return False
        return not recorder.fetching or (recorder.counted() and not site.below_torch(site.DATA))

    def reading(self, name: str, run: Any) -> Any:
        """A tensor becomes a number or an array."""
        recorder, inner, exact, silent = self._recorder, isinstance(run, FunctionType), name in EXACT, name == "item"

        def read(tensor: Tensor, *args: Any, **words: Any) -> Any:
            if inner or recorder.busy or (silent and tensor.is_cpu):  # which never warns
                out = run(tensor, *args, **words)
            else:
                out = called(run, sys._getframe(1))(tensor, *args, **words)
            if self._alone:
                if exact and isinstance(out, bool | int | float):
                    recorder.jot(Number, (name,), (bits(float(out)),), (tensor,), 3)
                else:
                    with recorder.looking:
                        value = value_of(tensor)
                        recorder.jot(Number, (name,), () if value is None else (bits(value),), (tensor,), 3)
                        recorder.contents.take(recorder, name, tensor)
                recorder.rested |= not torch.is_grad_enabled()
            return out

        return read

    def zeroed(self, run: Any, tensor: Tensor, *args: Any, **words: Any) -> Any:
        """Perhaps a gradient is set to zero."""
        if self._alone:
            with self._recorder.looking:
                self._seeing.cleared("zero_", (tensor,), site.site(3))
        return run(tensor, *args, **words)

    @contextmanager
    def gradients(self) -> Iterator[None]:
        """Inside, `tensor.grad` is as ever, and setting it is seen."""
        recorder, seeing, write = self._recorder, self._seeing, GRAD.__set__

        def put(tensor: Tensor, value: Tensor | None) -> None:
            if not recorder.busy and not seeing.on and self._alone:
                with recorder.looking:
                    seeing.cleared("grad=", (tensor, value), site.site(3))
            write(tensor, value)

        owned = "grad" in vars(Tensor)
        setattr(Tensor, "grad", _Grad(GRAD.__get__, put, GRAD.__delete__))  # noqa: B010 - types say no
        try:
            yield
        finally:
            if owned:
                setattr(Tensor, "grad", GRAD)  # noqa: B010
            else:
                delattr(Tensor, "grad")
