"""Sees numbers leave tensors, and gradients cleared by hand, between close looks: there the mode is off."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

from torch import Tensor

from truestep.check import site
from truestep.check.looks import seen
from truestep.check.mode import NUMBERS, Seeing
from truestep.check.patches import replaced
from truestep.check.recorder import Recorder


def watches(recorder: Recorder, seeing: Seeing) -> Iterator[AbstractContextManager[None]]:
    """The methods of a tensor that are replaced; while the mode is on they do nothing of their own."""
    reads = _Reads(recorder, seeing)
    for name in sorted(NUMBERS):
        yield replaced(Tensor, name, partial(reads.number, name))
    yield replaced(Tensor, "zero_", reads.zeroed)
    yield reads.gradients()


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
        return not self._seeing.on and recorder.awake and not recorder.stepping

    def number(self, name: str, run: Any, tensor: Tensor, *args: Any, **words: Any) -> Any:
        """A tensor becomes a number or an array."""
        out = run(tensor, *args, **words)
        if self._alone:
            with self._recorder.looking:
                self._seeing.number(name, tensor, seen(tensor, self._recorder.numbers), site.site(3))
        return out

    def zeroed(self, run: Any, tensor: Tensor, *args: Any, **words: Any) -> Any:
        """Perhaps a gradient is set to zero."""
        if self._alone:
            with self._recorder.looking:
                self._seeing.cleared("zero_", (tensor,), site.site(3))
        return run(tensor, *args, **words)

    @contextmanager
    def gradients(self) -> Iterator[None]:
        """Inside, `tensor.grad` is as ever, and asking for it or setting it is seen."""
        was = inspect.getattr_static(Tensor, "grad")

        def get(tensor: Tensor) -> Tensor | None:
            found = was.__get__(tensor)
            if found is not None and self._alone:
                with self._recorder.looking:
                    self._seeing.gradient(tensor, found)
            return found

        def put(tensor: Tensor, value: Tensor | None) -> None:
            if self._alone:
                with self._recorder.looking:
                    self._seeing.cleared("grad=", (tensor, value), site.site(3))
            was.__set__(tensor, value)

        owned = "grad" in vars(Tensor)
        setattr(Tensor, "grad", _Grad(get, put, lambda tensor: was.__delete__(tensor)))  # noqa: B010 - types say no
        try:
            yield
        finally:
            if owned:
                setattr(Tensor, "grad", was)  # noqa: B010
            else:
                delattr(Tensor, "grad")
