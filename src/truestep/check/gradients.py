"""Watches gradients: where each comes from, when it is cleared, clipped and scaled, and what optimizers make of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from truestep.check.changes import Backward, Clear, Clip, Leaf, Moved, OptimizerMade, Scaler, Step
from truestep.check.looks import LARGEST, Digest, digest, seen
from truestep.check.patches import hooked, replaced
from truestep.check.recorder import Recorder
from truestep.check.site import site

NODES = 20_000


def watches(recorder: Recorder, stop: Callable[[], None]) -> Iterator[AbstractContextManager[None]]:
    """Everything that is hooked or replaced for gradients and updates; `stop` is called after each update."""
    steps = Steps(recorder, stop)
    yield hooked(register_optimizer_step_pre_hook(steps.before))
    yield hooked(register_optimizer_step_post_hook(steps.after))
    yield replaced(Optimizer, "__init__", steps.made)
    yield replaced(Optimizer, "add_param_group", steps.given)
    yield replaced(torch.autograd, "backward", _Passes(recorder).backward)
    yield replaced(Optimizer, "zero_grad", lambda run, one, *a, **k: _cleared(recorder, "optimizer", run, one, a, k))
    yield replaced(nn.Module, "zero_grad", lambda run, one, *a, **k: _cleared(recorder, "module", run, one, a, k))
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
        roots = [tensors] if isinstance(tensors, Tensor) else list(tensors) if isinstance(tensors, list | tuple) else []
        seeds = grad_tensors if isinstance(grad_tensors, list | tuple) else [grad_tensors]
        facts = {
            "how": "backward",
            "seeded": any(each is not None for each in seeds),
            "kept": kept or made,
            "made": made,
        }
        facts["nested"] = self._depth > 0
        before = _Before(recorder, roots)
        self._depth += 1
        try:
            found = run(tensors, grad_tensors, *args, **words)
        finally:
            self._depth -= 1
        before.write(facts)
        if not self._depth:
            recorder.differentiated()
        return found


class _Before:
    """What a backward pass starts from; `write` adds what it left behind."""

    def __init__(self, recorder: Recorder, roots: list[Tensor]) -> None:
        self._recorder = recorder
        self._leaves: list[tuple[Tensor, Digest | None]] = []
        self._names: list[str] = []
        self._roots: tuple[Any, ...] = ()
        self.site = None
        with recorder.looking:
            self.site = site()
            self._roots = tuple(seen(root, recorder.numbers, recorder.close) for root in roots)
            if recorder.close:
                leaves, self._names = reached(roots)
                self._leaves = [(leaf, digest(leaf.grad)) for leaf in leaves]

    def write(self, facts: dict[str, Any]) -> None:
        """The pass is over."""
        recorder, numbers = self._recorder, self._recorder.numbers
        with recorder.looking:
            leaves = tuple(
                Leaf(
                    numbers.of(leaf), numbers.storage(leaf), tuple(leaf.shape), before, digest(leaf.grad), digest(leaf),
                    isinstance(leaf, nn.Parameter),
                )
                for leaf, before in self._leaves
            )  # fmt: skip
            recorder.emit(Backward, self.site, roots=self._roots, leaves=leaves, nodes=tuple(self._names), **facts)
        self._leaves = []


def differentiate(recorder: Recorder, func: Any, args: Any, words: dict[str, Any]) -> Any:
    """`torch.autograd.grad`, which fills no `.grad`."""
    outputs = args[0] if args else words.get("outputs")
    roots = [outputs] if isinstance(outputs, Tensor) else list(outputs or [])
    made = bool(args[4] if len(args) > 4 else words.get("create_graph", False))
    seed = args[2] if len(args) > 2 else words.get("grad_outputs")
    before = _Before(recorder, roots)
    found = func(*args, **words)
    before.write({"how": "grad", "seeded": seed is not None, "kept": made, "made": made, "nested": False})
    return found


def _cleared(recorder: Recorder, how: str, run: Any, one: Any, args: Any, words: Any) -> Any:
    if not recorder.awake:
        return run(one, *args, **words)
    with recorder.looking:
        groups = [one.parameters()] if how == "module" else [group["params"] for group in one.param_groups]
        held = [(p, p.grad) for group in groups for p in group if p.grad is not None]
        looks = [digest(gradient) if recorder.close else None for _, gradient in held]
        cleared = tuple((recorder.numbers.of(p), look and look.norm) for (p, _), look in zip(held, looks, strict=True))
        recorder.emit(Clear, how=how, owner=recorder.numbers.of(one), held=cleared)
        del held
    recorder.busy += 1
    try:
        return run(one, *args, **words)
    finally:
        recorder.busy -= 1


class Steps:
    """Optimizers as they are built and as they step."""

    def __init__(self, recorder: Recorder, stop: Callable[[], None]) -> None:
        self._recorder, self._stop = recorder, stop
        self._making = 0
        self._under_way: list[tuple[Optimizer, int, list[tuple[Tensor, Tensor]], tuple[float, ...], Any]] = []

    def made(self, run: Any, one: Optimizer, *args: Any, **words: Any) -> None:
        """An optimizer is built."""
        self._making += 1
        try:
            run(one, *args, **words)
        finally:
            self._making -= 1
        self._told(one, one.param_groups, added=False)

    def given(self, run: Any, one: Optimizer, *args: Any, **words: Any) -> None:
        """An optimizer is given one more group."""
        run(one, *args, **words)
        if not self._making:
            self._told(one, one.param_groups[-1:], added=True)

    def _told(self, one: Optimizer, groups: list[dict[str, Any]], added: bool) -> None:
        recorder = self._recorder
        if not recorder.awake or self._making:
            return
        with recorder.looking:
            told = tuple(
                {key: _setting(value) for key, value in group.items() if key != "params"}
                | {"params": tuple(recorder.numbers.of(p) for p in group["params"])}
                for group in groups
            )
            recorder.emit(
                OptimizerMade, optimizer=recorder.numbers.of(one), kind=type(one).__name__, groups=told, added=added
            )

    def before(self, one: Optimizer, args: Any, words: Any) -> None:
        """A step begins."""
        recorder = self._recorder
        if not recorder.awake:
            return
        recorder.stepping += 1
        held: list[tuple[Tensor, Tensor]] = []
        rates: tuple[float, ...] = ()
        with recorder.looking:
            rates = tuple(float(group.get("lr", float("nan"))) for group in one.param_groups)
            parameters = [p for group in one.param_groups for p in group["params"]]
            if recorder.close and sum(p.numel() for p in parameters) <= LARGEST:
                held = [(p, p.detach().clone()) for p in parameters]
        closure = bool(args and callable(args[-1])) or words.get("closure") is not None
        self._under_way.append((one, recorder.next(), held, rates, closure))

    def after(self, one: Optimizer, args: Any, words: Any) -> None:
        """A step has returned."""
        recorder = self._recorder
        if not recorder.awake or not any(each[0] is one for each in self._under_way):
            return
        place = next(at for at, each in enumerate(self._under_way) if each[0] is one)
        recorder.stepping -= len(self._under_way) - place  # those above it were left by an exception
        _, began, held, rates, closure = self._under_way[place]
        del self._under_way[place:]
        nested = bool(self._under_way)
        with recorder.looking:
            moved = tuple(_moved(recorder, p, old) for p, old in held)
            recorder.emit(
                Step, optimizer=recorder.numbers.of(one), kind=type(one).__name__, rates=rates, moved=moved,
                began=began, closure=closure, nested=nested,
            )  # fmt: skip
        held.clear()
        if not nested:
            recorder.updated()
            self._stop()


def _moved(recorder: Recorder, p: Tensor, old: Tensor) -> Moved:
    change = float(torch.linalg.vector_norm(p.detach().double() - old.double())) if not p.is_complex() else float("nan")
    return Moved(recorder.numbers.of(p), digest(p.grad), digest(old), digest(p), change, p.requires_grad)


def _setting(value: Any) -> Any:
    if isinstance(value, Tensor):
        return float(value) if value.numel() == 1 else None
    return value if isinstance(value, bool | int | float | str | tuple | None) else type(value).__name__


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
