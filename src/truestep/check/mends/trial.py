"""One mend in one rerun: where it works, whether it is in force, and the numbers that it takes down."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.overrides import TorchFunctionMode

from truestep.check import site
from truestep.check.mode import ALIAS
from truestep.check.patches import replaced
from truestep.check.recorder import Recorder

Place = tuple[str, int]


class Trial:
    """A mend at a line (`place`) of a rerun; `live` where it is in force, else it only measures.

    `acted` counts what it changed, or would have. `series` are its numbers, each with the updates made until then.
    """

    def __init__(self, recorder: Recorder, order: dict[str, Any]) -> None:
        self.recorder, self.slug = recorder, order["slug"]
        self.place: Place = (order["place"][0], order["place"][1])
        self.facts: dict[str, Any] = order["facts"]
        self.live: bool = order["live"]
        self.acted = 0
        self.series: dict[str, list[tuple[int, float]]] = {}

    @property
    def awake(self) -> bool:
        """Whether what happens now is the script's own."""
        return self.recorder.awake and not self.recorder.stepping

    def at(self, *places: Any) -> bool:
        """Whether the user's innermost line is one of these, by default that of the finding."""
        here = site.site(1).place
        return here == self.place if not places else any(here == (file, line) for file, line in places)

    def record(self, name: str, value: Any) -> None:
        """Take down a number."""
        self.series.setdefault(name, []).append((self.recorder.trace.updates_made, float(value)))

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Inside, nobody watches, and no graph is built."""
        with self.recorder.looking, torch.no_grad():
            yield


def listed(tensors: Any) -> list[Tensor]:
    """One tensor, or the tensors of a sequence, as a list."""
    return [tensors] if isinstance(tensors, Tensor) else [each for each in tensors if isinstance(each, Tensor)]


def holds(optimizer: Optimizer) -> list[Tensor]:
    """The parameters of all its groups."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


class Handing(TorchFunctionMode):
    """Hands the calls of some torch functions at the line of a finding to `change(func, name, args, words)`."""

    def __init__(self, trial: Trial, names: Any, change: Callable[..., Any]) -> None:
        super().__init__()
        self._trial, self._names, self._change = trial, frozenset(names), change

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        words = kwargs or {}
        name = getattr(func, "__name__", "")
        name = ALIAS.get(name, name)
        if name in self._names and self._trial.recorder.awake and self._trial.at():
            return self._change(func, name, args, words)
        return func(*args, **words)


class Makers:
    """Where each optimizer was built."""

    def __init__(self) -> None:
        self.places: weakref.WeakKeyDictionary[Optimizer, Place] = weakref.WeakKeyDictionary()

    def watches(self, trial: Trial, then: Callable[[Optimizer], None] = lambda one: None) -> Any:
        """Keep the places; `then` is called for each that was built at the line of the finding."""

        def made(run: Any, one: Optimizer, *args: Any, **words: Any) -> None:
            run(one, *args, **words)
            if trial.recorder.awake:
                self.places[one] = site.site(1).place
                if self.places[one] == trial.place:
                    then(one)

        return replaced(Optimizer, "__init__", made)


class Outermost:
    """Calls of modules by the user's code: `enter` and `leave` are called for those that lie inside no other."""

    def __init__(self, enter: Callable[[nn.Module], None], leave: Callable[[nn.Module], None]) -> None:
        self._enter, self._leave = enter, leave
        self.stack: list[nn.Module] = []

    def watches(self) -> Iterator[Any]:
        """The calls, replaced outside the watch, which is to see the modules as `enter` left them."""
        yield replaced(nn.Module, "__call__", self._around)

    def _around(self, run: Any, module: nn.Module, *args: Any, **words: Any) -> Any:
        self.stack.append(module)
        try:
            if len(self.stack) == 1:
                self._enter(module)
            return run(module, *args, **words)
        finally:
            self.stack.pop()
            if not self.stack:
                self._leave(module)


def passes(trial: Trial, around: Callable[..., Any]) -> Any:
    """Replace backward passes of the script's, those inside others excepted, by `around(run, roots, *args)`."""
    depth = [0]

    def backward(run: Any, tensors: Any, *args: Any, **words: Any) -> Any:
        if depth[0] or not trial.recorder.awake:
            return run(tensors, *args, **words)
        depth[0] += 1
        try:
            return around(run, tensors, *args, **words)
        finally:
            depth[0] -= 1

    return replaced(torch.autograd, "backward", backward)
