"""A window of batches taken twice from one state: by the step on the user's tensors, and by programs on copies."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from truestep.core.batch import Batch, change
from truestep.core.errors import TraceError
from truestep.core.finite import read
from truestep.core.forward import Figures, Forward, Tensors, told
from truestep.core.links import clip_factor
from truestep.core.moving import Moving
from truestep.core.nesting import flat, rebuilt
from truestep.core.outcome import StepOut
from truestep.core.program import Program, same_bits, trace
from truestep.core.scalars import unlike

if TYPE_CHECKING:
    from truestep.core.step import TrainStep

CLIP = 2**32
"""The seed of a number that is like none of the others."""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The programs for windows of one shape; a `pure` forward pass draws nothing and moves no buffer."""

    forward: Program
    update: Program
    moving: Moving
    found: Figures
    draws: bool
    pure: bool

    def found_by(
        self, step: TrainStep, params: Tensors, buffers: Tensors, micros: Sequence[Batch]
    ) -> tuple[StepOut | None, list[Tensor]]:
        """What the step found and its gradients; no figures where it has to be taken by the step itself."""
        tensors, norms, gradients = self.forward.run(params, buffers, micros)
        row = read([*tensors, *norms], step.device)
        reach = math.hypot(*row[len(tensors) :])
        out = told(self.found, row, tensors, step.objective.weights, reach, step.updates.lr)
        # The sum of the figures is finite only where each is; what overflows in it is looked at more closely.
        plain = math.isfinite(sum(row)) and all(out.counts.values())
        usual = plain or (math.isfinite(reach) and any(out.counts.values()) and math.isfinite(out.loss))
        return (out if usual else None), gradients

    def move(
        self, step: TrainStep, params: list[Tensor], gradients: list[Tensor], states: Any, steps: Any, norm: float
    ) -> None:
        """Clip the gradients and move everything."""
        limit = step.clip_norm
        clip = 1.0 if limit is None else float(clip_factor(norm, limit))
        self.update.run(params, gradients, states, steps, self.moving.numbers(), clip)


class Trial:
    """A window taken by programs on copies of everything, before the step itself takes it.

    Raises:
        TraceError: where the step cannot be a program, in one sentence.
    """

    def __init__(self, step: TrainStep, micros: Sequence[Batch]) -> None:
        self.step = step
        self.params, self.buffers = _copied(tensors_of(step))
        versions = [buffer._version for buffer in self.buffers.values()]
        forward = Forward(step)
        with silent(step.model):
            program = trace(forward, (self.params, self.buffers, list(micros)))
        assert forward.found is not None
        reached = [dict(step.model.named_parameters())[name] for name in forward.names]  # pyright: ignore[reportAttributeAccessIssue, reportFunctionMemberAccess]
        moving = Moving(step, reached)
        states, steps = _copied((moving.states, moving.steps))
        update = trace(moving, (reached, reached, states, steps, _unlike(moving.numbers()), unlike(CLIP)))
        self.window = Window(
            program, update, moving, forward.found, program.draws, not program.draws and not program.writes
        )
        with torch.random.fork_rng(_devices(step.device)), torch.no_grad():
            self.out, self.gradients = self.window.found_by(step, self.params, self.buffers, micros)
            self.drawn = Draws(step.device)
        self._refuse_buffers(versions)
        if self.out is not None:
            moved = [self.params[name] for name in forward.names]
            with torch.no_grad():
                self.window.move(step, moved, self.gradients, states, steps, self.out.grad_norm)
        self.moved = [*self.params.values(), *self.buffers.values(), *flat((states, steps))[0], *self.gradients]

    def _refuse_buffers(self, versions: list[int]) -> None:
        """What a skipped step puts back are running statistics: anything else that moves would stay moved."""
        running = {id(buffer) for buffer in self.step.running}
        own = tensors_of(self.step)[1]
        for name, version in zip(self.buffers, versions, strict=True):
            if self.buffers[name]._version != version and id(own[name]) not in running:
                raise TraceError(f"its forward pass moves the buffer {name}.")

    def same(self, out: StepOut) -> bool:
        """Whether the step itself has ended on the same bits, and drawn the same numbers."""
        if self.out is None:
            return False
        params, buffers = tensors_of(self.step)
        moving = self.window.moving
        gradients = [one.parameter.grad for one in moving.ones]
        ends = [*params.values(), *buffers.values(), *flat((moving.states, moving.steps))[0], *gradients]
        if len(ends) != len(self.moved) or not self.drawn.now():
            return False
        equal = all(
            isinstance(end, Tensor) and same_bits(own.detach(), end.detach())
            for own, end in zip(self.moved, ends, strict=True)
        )
        return equal and _figures(out) == _figures(self.out)


def shape_of(micros: Sequence[Batch]) -> Any:
    """What decides which program takes a window: the shapes and dtypes of all that is in it."""
    if len(micros) == 1 and isinstance(micros[0][0], Tensor) and isinstance(micros[0][1], Tensor):
        inputs, targets = micros[0]
        return inputs.shape, inputs.dtype, targets.shape, targets.dtype
    leaves, nesting = flat(list(micros))
    return repr(nesting), tuple((leaf.shape, leaf.dtype) if isinstance(leaf, Tensor) else leaf for leaf in leaves)


def tensors_of(step: TrainStep) -> tuple[Tensors, Tensors]:
    """The parameters that a pass differentiates by, and all buffers."""
    model: Any = step.model
    params = {name: each for name, each in model.named_parameters() if each.requires_grad}
    return params, dict(model.named_buffers())


class Draws:
    """The state of the generators that a step on some device draws from."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.state = self._get()

    def _get(self) -> Tensor:
        return torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else torch.get_rng_state()

    def restore(self) -> None:
        """Draw the same numbers again."""
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(self.state, self.device)
        else:
            torch.set_rng_state(self.state)

    def now(self) -> bool:
        """Whether the generators are where they were then."""
        return torch.equal(self.state, self._get())


@contextmanager
def silent(model: Any) -> Iterator[None]:
    """Refuse a forward pass that leaves traces in its modules, or draws from generators that torch knows nothing of.

    What it left is put back.

    Raises:
        TraceError: at the end, saying what it did.
    """
    before = [(module, dict(vars(module)), _sizes(module)) for module in model.modules()]
    drawn = _generators()
    try:
        yield
    finally:
        changed = [each for each in before if _changed(*each)]
        drew = _generators() != drawn
        for module, held, sizes in changed:
            _put_back(module, held, sizes)
        if drew:
            sys.modules["random"].setstate(drawn[0])
            if drawn[1] is not None:
                kind, words, *more = drawn[1]
                numpy: Any = sys.modules["numpy"]
                numpy.random.set_state((kind, numpy.frombuffer(words, numpy.uint32), *more))
    if changed:
        raise TraceError("its forward pass changes an attribute of a module.")
    if drew:
        raise TraceError("its forward pass draws random numbers outside torch.")


def _generators() -> tuple[Any, Any]:
    """The states of Python's own generator and of NumPy's, where it is loaded."""
    numpy: Any = sys.modules.get("numpy")
    own = sys.modules["random"].getstate()
    if numpy is None:
        return own, None
    kind, words, *more = numpy.random.get_state()
    return own, (kind, words.tobytes(), *more)  # an array is not compared by ==


def _sizes(module: Any) -> dict[str, int]:
    return {name: len(value) for name, value in vars(module).items() if isinstance(value, list | dict | set)}


def _changed(module: Any, held: dict[str, Any], sizes: dict[str, int]) -> bool:
    now = vars(module)
    return _sizes(module) != sizes or now.keys() != held.keys() or any(now[name] is not held[name] for name in held)


def _put_back(module: Any, held: dict[str, Any], sizes: dict[str, int]) -> None:
    vars(module).clear()
    vars(module).update(held)
    for name, size in sizes.items():
        if isinstance(held[name], list):
            del held[name][size:]


def _unlike(numbers: Any) -> Any:
    leaves, nesting = flat(numbers)
    return rebuilt(nesting, [unlike(number) for number in range(len(leaves))])


def _copied(tree: Any) -> Any:
    return change(tree, lambda leaf: leaf.detach().clone())


def _devices(device: torch.device) -> list[torch.device]:
    return [device] if device.type == "cuda" else []


def _figures(out: StepOut) -> Any:
    """All numbers of a step, comparable."""
    metrics = [(name, float(part.total), float(part.count)) for name, part in out.metrics.items()]
    figures = [dict(each) for each in (out.totals, out.counts, out.sizes, out.alone)]
    return figures, metrics, out.samples, out.grad_norm, out.lr
