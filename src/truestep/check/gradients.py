"""Watches gradients: where each comes from, when it is cleared, clipped and scaled, and what optimizers make of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from truestep.check.changes import Backward, Clear, Clip, Leaf, Scaler
from truestep.check.looks import GRAD, Digest, alike, digest, seen
from truestep.check.patches import exchanged, hooked, replaced
from truestep.check.recorder import Recorder
from truestep.check.site import site
from truestep.check.steps import Steps

NODES = 20_000
WORDS = "how", "seeded", "kept", "made", "nested"


def watches(recorder: Recorder, stop: Callable[[], None]) -> Iterator[AbstractContextManager[None]]:
    """Everything that is hooked or replaced for gradients and updates; `stop` is called after each update."""
    steps = Steps(recorder, stop)
    yield hooked(register_optimizer_step_pre_hook(steps.before))
    yield hooked(register_optimizer_step_post_hook(steps.after))
    yield replaced(Optimizer, "__init__", steps.made)
    yield replaced(Optimizer, "add_param_group", steps.given)
    yield replaced(torch.autograd, "backward", _Passes(recorder).backward)
    yield exchanged(Optimizer, "zero_grad", partial(_clearing, recorder, "optimizer"))
    yield exchanged(nn.Module, "zero_grad", partial(_clearing, recorder, "module"))
    for name, how in (("clip_grad_norm_", "norm"), ("clip_grad_value_", "value")):
        for place in (torch.nn.utils, clip_grad):
            yield replaced(place, name, _Clipping(recorder, how))
    for how in ("scale", "unscale_", "step", "update"):
        yield replaced(torch.amp.GradScaler, how, _Scaling(recorder, how))


def reached(roots: Iterable[Tensor]) -> tuple[list[Tensor], list[str]]:
    """The leaves below these tensors, and the names of the nodes between, the root's first."""
    leaves: list[Tensor] = [root for root in roots if root.grad_fn is None and root.requires_grad]
    waiting = deque(root.grad_fn for root in roots if root.grad_fn is not None)
    known, names = set(waiting), list[str]()
    while waiting and len(known) < NODES:
        node = waiting.popleft()
        leaf = getattr(node, "variable", None)  # of what accumulates into a leaf
        if leaf is not None:
            leaves.append(leaf)
        else:
            names.append(node.name())
        for before, _ in node.next_functions:
            if before is not None and before not in known:
                known.add(before)
                waiting.append(before)
    return leaves, names[:400]


class _Passes:
    """Backward passes; one inside another is a checkpoint's, or the program's own inside a hook."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder, self._depth = recorder, 0

    def backward(self, run: Any, tensors: Any, grad_tensors: Any = None, *args: Any, **words: Any) -> Any:
        recorder = self._recorder
        if not recorder.awake:
            return run(tensors, grad_tensors, *args, **words)
        kept = bool(args[0] if args else words.get("retain_graph"))
        made = bool(args[1] if len(args) > 1 else words.get("create_graph"))
        seeded = grad_tensors is not None and (
            not isinstance(grad_tensors, list | tuple) or any(each is not None for each in grad_tensors)
        )
        nested = self._depth > 0
        before = _Before(recorder, tensors) if recorder.close else None
        self._depth += 1
        try:
            found = run(tensors, grad_tensors, *args, **words)
        finally:
            self._depth -= 1
        _after(recorder, before, tensors, ("backward", seeded, kept or made, made, nested))
        if not self._depth:
            recorder.differentiated()
        return found


def _after(recorder: Recorder, before: _Before | None, tensors: Any, facts: tuple[Any, ...], given: Any = ()) -> None:
    """Write a backward pass, when it is over; `given` are the gradients that it returned."""
    if before is None:
        recorder.jot(Backward, facts, (), _roots(tensors))
    else:
        before.write(dict(zip(WORDS, facts, strict=True)), given)


def _roots(tensors: Any) -> tuple[Tensor, ...]:
    return (tensors,) if isinstance(tensors, Tensor) else tuple(tensors) if isinstance(tensors, list | tuple) else ()


class _Before:
    """What a backward pass starts from, seen closely; `write` adds what it left behind."""

    def __init__(self, recorder: Recorder, tensors: Any) -> None:
        self._recorder = recorder
        self._leaves: list[tuple[Tensor, Digest | None]] = []
        self._names: list[str] = []
        self._roots: tuple[Any, ...] = ()
        self.site = site()
        with recorder.looking:
            roots = _roots(tensors)
            self._roots = tuple(seen(root, recorder.numbers, True) for root in roots)
            leaves, self._names = reached(roots)
            self._leaves = [(leaf, digest(leaf.grad)) for leaf in leaves]

    def write(self, facts: dict[str, Any], given: Any = ()) -> None:
        """The pass is over."""
        recorder, numbers = self._recorder, self._recorder.numbers
        with recorder.looking:
            recorder.trains(leaf for leaf, _ in self._leaves)
            leaves = tuple(
                Leaf(
                    numbers.of(leaf), numbers.storage(leaf), tuple(leaf.shape), before, digest(leaf.grad), digest(leaf),
                    isinstance(leaf, nn.Parameter), alike(leaf),
                )
                for leaf, before in self._leaves
            )  # fmt: skip
            looks = tuple(look for each in given if (look := digest(each)) is not None)
            results = tuple(numbers.of(each) for each in given if isinstance(each, Tensor))
            recorder.emit(
                Backward, self.site, roots=self._roots, leaves=leaves, nodes=tuple(self._names), given=looks,
                results=results, **facts,
            )  # fmt: skip
        self._leaves = []


def differentiate(recorder: Recorder, func: Any, args: Any, words: dict[str, Any]) -> Any:
    """`torch.autograd.grad`, which fills no `.grad`."""
    outputs = args[0] if args else words.get("outputs")
    made = bool(args[4] if len(args) > 4 else words.get("create_graph", False))
    seed = args[2] if len(args) > 2 else words.get("grad_outputs")
    before = _Before(recorder, outputs) if recorder.close else None
    found = func(*args, **words)
    _after(recorder, before, outputs, ("grad", seed is not None, made, made, False), found)
    return found


def _clearing(recorder: Recorder, how: str, run: Any) -> Any:
    """`zero_grad` of an optimizer or a module."""
    get = GRAD.__get__

    def clear(one: Any, *args: Any, **words: Any) -> Any:
        if recorder.busy or not recorder.live:
            return run(one, *args, **words)
        if recorder.close:
            with recorder.looking:
                _cleared(recorder, how, one)
        else:
            try:
                with torch._C.DisableTorchFunction():
                    of = recorder.numbers.of
                    recorder.jot(
                        Clear, (how, of(one), tuple([of(p) for p in _parameters(how, one) if get(p) is not None]))
                    )
            except Exception as error:
                if not recorder.excused(error):
                    raise
        recorder.busy += 1
        try:
            return run(one, *args, **words)
        finally:
            recorder.busy -= 1

    return clear


def _parameters(how: str, one: Any) -> Iterable[Tensor]:
    return one.parameters() if how == "module" else [p for group in one.param_groups for p in group["params"]]


def _cleared(recorder: Recorder, how: str, one: Any) -> None:
    held = tuple(
        (recorder.numbers.of(p), look and look.norm)
        for p in _parameters(how, one)
        if (gradient := GRAD.__get__(p)) is not None
        for look in [digest(gradient)]
    )
    recorder.emit(Clear, how=how, owner=recorder.numbers.of(one), held=held)


class _Clipping:
    """One of the functions that clip gradients."""

    def __init__(self, recorder: Recorder, how: str) -> None:
        self._recorder, self._how = recorder, how

    def __call__(self, run: Any, parameters: Any, *args: Any, **words: Any) -> Any:
        recorder = self._recorder
        if not recorder.awake:
            return run(parameters, *args, **words)
        held = [parameters] if isinstance(parameters, Tensor) else list(parameters)
        recorder.busy += 1
        try:
            found = run(held, *args, **words)
        finally:
            recorder.busy -= 1
        with recorder.looking:
            most = args[0] if args else words.get("max_norm", words.get("clip_value", float("nan")))
            norm = float(found) if self._how == "norm" and recorder.close else None
            numbers = tuple(recorder.numbers.of(p) for p in held)
            recorder.emit(Clip, how=self._how, params=numbers, most=float(most), norm=norm)
        return found


class _Scaling:
    """One of the methods of a GradScaler."""

    def __init__(self, recorder: Recorder, how: str) -> None:
        self._recorder, self._how = recorder, how

    def __call__(self, run: Any, scaler: Any, *args: Any, **words: Any) -> Any:
        recorder = self._recorder
        if recorder.awake:
            with recorder.looking:
                first = args[0] if args else None
                optimizer = recorder.numbers.of(first) if isinstance(first, Optimizer) else 0
                factor = float(scaler.get_scale()) if scaler.is_enabled() else 1.0
                recorder.emit(
                    Scaler, how=self._how, scaler=recorder.numbers.of(scaler), optimizer=optimizer, factor=factor,
                    enabled=scaler.is_enabled(),
                )  # fmt: skip
        return run(scaler, *args, **words)
