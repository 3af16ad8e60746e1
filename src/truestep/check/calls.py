"""Watches modules as they are built, called and switched between training and evaluation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from truestep.check.events import Forward, Mode, ModuleMade, Op, Replaced
from truestep.check.looks import given, seen, tensors
from truestep.check.padding import tail
from truestep.check.recorder import Recorder
from truestep.check.weights import mark

QUICK = (nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerEncoder)
"""In evaluation these take a quicker way, with other last digits, unless a mode of torch functions is on."""


class Calls:
    """Modules as they are built, called and switched."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder, self._switching = recorder, False
        self._quick: list[int] = []

    def before(self, module: nn.Module, args: Any) -> None:
        """A forward begins."""
        recorder = self._recorder
        if torch.compiler.is_compiling() or not recorder.awake:
            return
        if recorder.modules and not recorder.close:  # nothing is written of it: only its end must be known as such
            recorder.modules.append(0)
            recorder.began.append(0)
            return
        if not recorder.close and module.training and torch.is_grad_enabled():
            recorder.began.append(recorder.next())
            recorder.modules.append(recorder.numbers.of(module))
            return
        with recorder.looking:
            if not recorder.modules:
                recorder.begins(module)
            recorder.began.append(recorder.next())
            recorder.modules.append(recorder.numbers.of(module))
            if recorder.close and not module.training and isinstance(module, QUICK):
                self._quick.append(recorder.modules[-1])
                recorder.look(False)

    def after(self, module: nn.Module, args: Any, output: Any) -> None:
        """A forward has returned, or was left by an exception."""
        recorder = self._recorder
        if torch.compiler.is_compiling() or not recorder.awake:
            return
        if recorder.modules and not recorder.modules[-1]:
            recorder.modules.pop()
            recorder.began.pop()
            return
        alone = not recorder.close and not self._quick and recorder.modules == [recorder.numbers.of(module)]
        if alone and _bare((output, *args)):
            self._quickly(module, args, (output,), recorder.modules.pop(), recorder.began.pop())
            return
        with recorder.looking:
            number, began = recorder.numbers.of(module), 0
            if self._quick and self._quick[-1] == number:
                self._quick.pop()
                recorder.look(True)
            while recorder.modules and began == 0:
                began = recorder.began.pop()
                if recorder.modules.pop() != number:
                    began = 0
            depth = len(recorder.modules)
            if output is None or (depth and not recorder.close):
                return
            inputs, outputs = given(args), given(output)
            if not recorder.close:
                self._quickly(module, inputs, outputs, number, began)
                return
            near = not depth
            if near:
                self._padded(args)
            told = [tuple(seen(each, recorder.numbers, near, near) for each in values) for values in (inputs, outputs)]
            recorder.emit(
                Forward, module=number, kind=type(module).__name__, depth=depth, training=module.training,
                grad=torch.is_grad_enabled(), autocast=_autocast(), inputs=told[0], outputs=told[1], began=began,
                weights=mark(module) if near and not (module.training and torch.is_grad_enabled()) else 0,
            )  # fmt: skip

    def _quickly(
        self, module: nn.Module, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], number: int, began: int
    ) -> None:
        """Write an outermost forward between close looks."""
        same = number, type(module).__name__, module.training, torch.is_grad_enabled(), _autocast(), len(inputs)
        self._recorder.jot(Forward, same, (began,), inputs + outputs)

    def _padded(self, args: Any) -> None:
        """Write an `Op` "padded" for each batch of sequences that was filled up to one length; take their points."""
        for each in tensors(args):
            self._recorder.points.take(self._recorder, each, False)
            how = tail(each)
            if how is not None:
                told = (self._recorder.numbers.of(each), tuple(each.shape), *how)
                self._recorder.emit(Op, name="padded", args=told, words={}, out=(), grad=torch.is_grad_enabled())

    def made(self, run: Any, module: nn.Module, *args: Any, **words: Any) -> None:
        """A module is built."""
        run(module, *args, **words)
        recorder = self._recorder
        if recorder.awake:
            with recorder.looking:
                inside = recorder.modules[-1] if recorder.modules else 0
                kind = type(module).__name__
                recorder.emit(ModuleMade, module=recorder.numbers.of(module), kind=kind, inside=inside)

    def given(self, module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        """A parameter is registered, perhaps in the place of another one."""
        recorder = self._recorder
        last = module.__dict__["_parameters"].get(name)
        if last is not None and parameter is not None and last is not parameter and recorder.awake:
            with recorder.looking:
                before, after = recorder.numbers.of(last), recorder.numbers.of(parameter)
                recorder.emit(Replaced, module=recorder.numbers.of(module), name=name, before=before, after=after)

    def train(self, run: Any, module: nn.Module, mode: bool = True) -> Any:
        """`train` or `eval` of the user's, and not what passes it on to the children."""
        recorder = self._recorder
        if self._switching or not recorder.awake:
            return run(module, mode)
        with recorder.looking:
            recorder.emit(Mode, module=recorder.numbers.of(module), training=bool(mode))
        self._switching = True
        try:
            return run(module, mode)
        finally:
            self._switching = False


def _bare(args: Any) -> bool:
    return all(type(each) is Tensor for each in args)


def _autocast() -> bool:
    return torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled()
