"""Watch any loop count its updates, and look at the one that is asked for: `with LoopWatch(10) as watch: train()`."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from truestep.core.batch import Batch, change, leaves, rows
from truestep.core.step import TrainStep
from truestep.explain.explain import explain
from truestep.explain.ledger import Ledger
from truestep.explain.loop.account import Start, ledger
from truestep.explain.loop.gradients import CLIPPED, Gradients, Pass
from truestep.explain.loop.naming import frames, modules, parameter_names, plain, taken_apart
from truestep.explain.measure import variant
from truestep.explain.modules import ModuleWatch
from truestep.explain.trail import Trail

LENGTH, ROOM = 50, 1 << 26
"""The most steps whose momentum is told apart, and the most numbers that are kept for it."""
NEAR = 3
"""From how many updates before the one asked for gradients are followed, where there are fewer optimizers than that."""
Run = Callable[..., Any]
Look = Callable[[TrainStep, Any, Any, Trail], Any]


class Stopped(SystemExit):
    """Ends a program in good order after the update that was asked for: `finally` runs, `except Exception` does not."""


class LoopWatch:
    """Counts the updates of whatever runs inside a `with` block, explains one of them, and then raises `Stopped`.

    Seen are all optimizers of torch and `TrainStep` (and so `fit`). Inside, `torch.autograd.backward`, the functions
    that clip gradients and the scaler of float16 tell what they do, and do it as ever; afterwards they are as before.

    Args:
        number: which update, from 1; those of several optimizers are counted together.
        look: what is made of an update of a `TrainStep`, `look(step, inputs, targets, trail)`: by default its ledger.

    `found` is what was made of the update, None where the program never came to it; `updates` and `backwards` are how
    many there were.
    """

    def __init__(self, number: int, look: Look = explain) -> None:
        self.number, self._look = number, look
        self.found: Any = None
        self.updates, self.backwards = 0, 0
        self.optimizers: dict[Optimizer, int] = {}
        self._stack, self._inside = ExitStack(), False
        self._gradients: Gradients | None = None
        self._modules = ModuleWatch(_no_model)
        self._current: Optimizer | None = None
        self._start: Start | None = None
        self._trail: Trail | None = None

    def __enter__(self) -> LoopWatch:
        enter = self._stack.enter_context
        enter(warnings.catch_warnings())  # of ours alone: a hook that sees a compiled module twice does no harm here
        warnings.filterwarnings("ignore", message=r"Using `torch.compile\(module\)` when there are global hooks")
        enter(_hooked(register_optimizer_step_pre_hook(lambda one, args, words: self._before(one))))
        enter(_hooked(register_optimizer_step_post_hook(lambda one, args, words: self._after(one))))
        enter(_hooked(nn.modules.module.register_module_forward_hook(self._forward)))
        enter(_replaced(torch.autograd, "backward", self._backward))
        enter(_replaced(TrainStep, "window", self._window))
        enter(_replaced(torch.amp.GradScaler, "unscale_", self._unscale))
        for place in (torch.nn.utils, clip_grad):
            for name in ("clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_"):
                if hasattr(place, name):
                    enter(_replaced(place, name, self._clip))
        self._arm()
        return self

    def __exit__(self, *error: object) -> None:
        self._modules.__exit__(None, None, None)
        self._stack.close()

    def _arm(self) -> None:
        """Follow gradients from a little before the update that is asked for."""
        if self._gradients is None and self.updates + max(NEAR, len(self.optimizers) + 1) >= self.number:
            self._gradients = Gradients()
            self._gradients.follow(_held(self.optimizers))

    def _before(self, optimizer: Optimizer) -> None:
        if self._current not in (None, optimizer):  # an optimizer inside an optimizer is no update of its own
            return
        self._current = optimizer
        self.optimizers.setdefault(optimizer, 0)
        self._remember(optimizer).before(optimizer)
        if not self._inside and self.updates + 1 >= self.number and self.found is None:
            self._start = Start.of(optimizer)

    def _after(self, optimizer: Optimizer) -> None:
        if optimizer is not self._current:
            return
        self._current = None
        self.optimizers[optimizer] += 1
        self._remember(optimizer).after(optimizer)
        if self._inside:
            return
        self.updates += 1
        if self._start is not None and self._gradients is not None:
            self._gradients.settle()
            self.found, self._start = self._ledger(self._start, self._gradients), None
        if self.found is not None:
            raise Stopped
        if self._gradients is not None:
            self._gradients.settle()
            self._gradients.spent(_held([optimizer]))
        self._modules.__exit__(None, None, None)
        self._modules = ModuleWatch(_no_model)
        self._arm()

    def _ledger(self, start: Start, gradients: Gradients) -> Ledger:
        names = parameter_names(list(start.before), frames())
        called = {str(id(one)): plain(name) for top in modules(list(start.before)) for name, one in top.named_modules()}
        records = [record.named(called[record.name]) for record in self._modules.records if record.name in called]
        trail = self._remember(start.optimizer)
        return ledger(start, gradients, names, trail, records, self._which(start.optimizer))

    def _which(self, optimizer: Optimizer) -> str:
        said = f"update {self.number}, by {type(optimizer).__name__}"
        if len(self.optimizers) == 1:
            return said
        place = list(self.optimizers).index(optimizer) + 1
        return f"{said}, optimizer {place} of {len(self.optimizers)}: its own update {self.optimizers[optimizer]}"

    def _remember(self, optimizer: Optimizer) -> Trail:
        """The momentum of the steps so far: of as many as there is room for, by the size of the first optimizer."""
        if self._trail is None:
            size = sum(p.numel() for p in _held([optimizer]))
            self._trail = Trail(length=max(1, min(LENGTH, ROOM // max(size, 1))))
        return self._trail

    def _backward(self, run: Run, tensors: Any, grad_tensors: Any = None, *args: Any, **words: Any) -> Any:
        if self._gradients is not None and self._gradients.running:  # a pass inside a pass, as of a checkpoint
            return run(tensors, grad_tensors, *args, **words)
        self.backwards += 1
        losses = [tensors] if isinstance(tensors, Tensor) else list(tensors)
        seeds = [grad_tensors] if isinstance(grad_tensors, Tensor) else list(grad_tensors or [None] * len(losses))
        call = functools.partial(run, tensors, grad_tensors, *args, **words)
        if self._gradients is None or self._inside or not all(_differentiable(loss) for loss in losses):
            return call()
        found, terms = taken_apart(losses, seeds, frames())
        value = sum(float(loss.detach().double().sum()) for loss in losses)
        among = words.get("inputs")
        among = [among] if isinstance(among, Tensor) else among
        self._gradients.follow(_held(self.optimizers))  # what a graph hides, as a checkpoint does, is found so
        return self._gradients.backward(Pass(found, terms, value, among), call)

    def _clip(self, run: Run, *args: Any, **words: Any) -> Any:
        if self._gradients is None or self._inside:
            return run(*args, **words)
        self._gradients.settle()
        found = run(*args, **words)
        self._gradients.settle(CLIPPED)
        return found

    def _unscale(self, run: Run, scaler: Any, optimizer: Optimizer) -> Any:
        if self._gradients is None or self._inside or not scaler.is_enabled():
            return run(scaler, optimizer)
        self._gradients.settle()
        found, factor = run(scaler, optimizer), 1 / scaler.get_scale()
        self._gradients.scaled(_held([optimizer]), factor)
        return found

    def _window(self, run: Run, step: TrainStep, batches: Sequence[Batch]) -> Any:
        if self._inside:  # a step that is tried while one is explained
            return run(step, batches)
        self._inside = True
        try:
            if self.updates + 1 >= self.number:
                self.found = self.found or self._look(*_joined(step, batches), self._trail or Trail())
                raise Stopped
            out = run(step, batches)
        finally:
            self._inside = False
        self.updates += not out.skipped
        return out

    def _forward(self, module: nn.Module, args: Any, output: Any) -> None:
        if torch.compiler.is_compiling():  # else this would become a part of the program that is compiled
            return
        own = any(True for _ in module.parameters(recurse=False)) or not any(True for _ in module.children())
        if own and self._gradients is not None and not self._inside and torch.is_grad_enabled():
            self._modules.seen(str(id(module)), module, output)


def _joined(step: TrainStep, batches: Sequence[Batch]) -> tuple[TrainStep, Any, Any]:
    """The batches of one update as one, in micro-batches no larger than they were: the same step."""
    if len(batches) == 1:
        return step, *batches[0]
    whole = iter([torch.cat(parts) for parts in zip(*([leaf for _, leaf in leaves(b)] for b in batches), strict=True)])
    inputs, targets = change(batches[0], lambda leaf: next(whole))
    other, size = variant(step), rows(batches[0][0])
    other.micro_batch = min(step.micro_batch or size, size)
    return other, inputs, targets


def _held(optimizers: Iterable[Optimizer]) -> Iterator[Tensor]:
    return (p for one in optimizers for group in one.param_groups for p in group["params"])


def _differentiable(loss: Any) -> bool:
    return isinstance(loss, Tensor) and loss.requires_grad


def _no_model(*args: Any) -> None:
    """In the place of a model: modules are seen wherever they are called."""


@contextmanager
def _hooked(handle: Any) -> Iterator[None]:
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _replaced(place: Any, name: str, by: Callable[..., Any]) -> Iterator[None]:
    """Inside, `place.name(...)` is `by(what it was, ...)`."""
    was = getattr(place, name)

    @functools.wraps(was)
    def call(*args: Any, **words: Any) -> Any:
        return by(was, *args, **words)

    setattr(place, name, call)
    try:
        yield
    finally:
        setattr(place, name, was)
