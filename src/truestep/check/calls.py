"""Watches modules as they are built, called and switched between training and evaluation."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from truestep.check.compilers import compiled
from truestep.check.events import Forward, Mode, ModuleMade, Op, Replaced
from truestep.check.looks import given, seen, tensors
from truestep.check.padding import tail
from truestep.check.points import columns
from truestep.check.recorder import Recorder
from truestep.check.weights import mark

TABLES = 8
"""Tables of a run that are looked at as they are evaluated."""

QUICK = (nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerEncoder)
"""In evaluation these take a quicker way, with other last digits, unless a mode of torch functions is on."""


class Calls:
    """Modules as they are built, called and switched."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder, self._switching = recorder, False
        self._tables = set[int]()

    def watched(self, run: Any) -> Any:
        """A module's call, watched; what it is given by name counts where that is all, as in `model(**batch)`."""
        recorder, modules = self._recorder, self._recorder.modules
        compiling, grad, of = torch.compiler.is_compiling, torch.is_grad_enabled, recorder.numbers.of

        def call(module: nn.Module, *args: Any, **words: Any) -> Any:
            if (modules and not recorder.close) or recorder.busy or not recorder.live or compiling():
                return run(module, *args, **words)
            if recorder.fetching and next(module.parameters(), None) is None:  # it prepares an item, as transforms do
                return run(module, *args, **words)
            if not recorder.close and module.training and grad() and not recorder.hushed:
                number, began = of(module), recorder.next()
                modules.append(number)
                try:
                    output = run(module, *args, **words)
                finally:
                    modules.clear()
                self._quickly(module, args or (*words.values(),), output, number, began)
                return output
            return self._closely(run, module, args, words)

        return call

    def _closely(self, run: Any, module: nn.Module, args: Any, words: Any) -> Any:
        """A call that is looked at, or may be."""
        recorder = self._recorder
        depth, number, began, quick = len(recorder.modules), 0, 0, False
        with recorder.looking:
            if not depth:
                recorder.begins(module)
            number, began = recorder.numbers.of(module), recorder.next()
            quick = recorder.close and (compiled(module) or (not module.training and isinstance(module, QUICK)))
            if quick:
                recorder.look(False)
        recorder.modules.append(number)
        try:
            output = run(module, *args, **words)
        finally:
            del recorder.modules[depth:]
            if quick:
                recorder.look(True)
        if not recorder.awake:
            return output
        if recorder.close:
            with recorder.looking:
                self._write(module, args or (*words.values(),), output, number, began)
        elif not depth:
            self._quickly(module, args or (*words.values(),), output, number, began)
        return output

    def _write(self, module: nn.Module, args: Any, output: Any, number: int, began: int) -> None:
        recorder, depth = self._recorder, len(self._recorder.modules)
        if output is None:
            return
        near = not depth
        if near:
            self._padded(args)
        told = [tuple(seen(each, recorder.numbers, near, near) for each in given(values)) for values in (args, output)]
        rests = recorder.rested or not (module.training and torch.is_grad_enabled())
        if near and rests:
            self._whole(args)
        recorder.emit(
            Forward, module=number, kind=type(module).__name__, depth=depth, training=module.training,
            grad=torch.is_grad_enabled(), autocast=_autocast(), inputs=told[0], outputs=told[1], began=began,
            weights=mark(module.parameters()) if near and rests else 0,
        )  # fmt: skip

    def _quickly(self, module: nn.Module, args: Any, output: Any, number: int, began: int) -> None:
        """Write an outermost forward between close looks."""
        if output is None or not self._recorder.awake:
            return
        inputs, outputs = given(args), given(output)
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

    def _whole(self, args: Any) -> None:
        """Write an `Op` "tabled" for a table that is evaluated in one piece: nobody may have seen it being made."""
        table = next(tensors(args), None)
        if table is None or table.requires_grad or table._is_view() or len(self._tables) >= TABLES:
            return
        number = self._recorder.numbers.of(table)
        told = None if number in self._tables else columns(table)
        if told is not None:
            self._tables.add(number)
            args, words = (number, tuple(table.shape)), {"columns": told}
            self._recorder.emit(Op, name="tabled", args=args, words=words, out=(), grad=False)

    def made(self, run: Any, module: nn.Module, *args: Any, **words: Any) -> None:
        """A module is built."""
        run(module, *args, **words)
        recorder = self._recorder
        if recorder.awake:
            with recorder.looking:
                inside = recorder.modules[-1] if recorder.modules else 0
                kind = type(module).__name__
                if not inside:
                    recorder.built()
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


def _autocast() -> bool:
    return torch._C._is_any_autocast_enabled()
