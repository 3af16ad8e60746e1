"""A function of tensors written down, operation by operation, as torch carries it out.

The recorder stands below autograd, vmap and the composite operations, so what it sees is what torch computes: forward,
backward and update alike. It runs for real, on tensors, and refuses whatever a record could not repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from truestep.core.batch import change
from truestep.core.errors import TraceError
from truestep.core.scalars import Scalars
from truestep.core.tape import Entry, Tape

aten = torch.ops.aten
Rewrites = Mapping[OpOverload, Callable[..., Any]]
"""Operation -> a function of its arguments that computes the same otherwise, or returns NotImplemented."""

FRESH = (aten.lift_fresh.default, aten.lift_fresh_copy.default)
"""What brings a number that the function wrote down itself into a tensor: `torch.tensor(0.5)`."""
LEAVES_TORCH = {"numpy", "tolist", "__array__", "__dlpack__", "data_ptr", "untyped_storage", "storage", "set_"}
READS_SHAPES = (aten.is_same_size.default, aten._fused_sdp_choice.default)
DRAWS, READS = torch.Tag.nondeterministic_seeded, torch.Tag.data_dependent_output
MASKS = (torch.bool, torch.uint8)
"""Indices of these dtypes choose as many entries as there are true ones; those of others choose one each."""
CHANGES_SHAPE = torch.Tag.inplace_view


@dataclass(slots=True)
class Record:
    """What was written down, and the tensors from outside that it holds.

    `held` are tensors that the function used without being given them, weights of a loss, say; the tape has them as
    further inputs behind those that were given. `written` are the numbers among them that the function wrote itself.
    """

    tape: Tape
    held: list[Tensor] = field(default_factory=list)
    written: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What an operation is like, as its schema and its tags say it."""

    composite: bool
    reads: bool
    dynamic: bool
    draws: bool
    reshapes: bool
    writes: list[tuple[int, str]]


@lru_cache(maxsize=4096)
def _facts(func: OpOverload) -> _Facts:
    tags = func.tags
    return _Facts(
        func.has_kernel_for_dispatch_key(torch._C.DispatchKey.CompositeImplicitAutograd),
        READS in tags and func not in READS_SHAPES,
        torch.Tag.dynamic_output_shape in tags,
        DRAWS in tags,
        CHANGES_SHAPE in tags,
        written(func),
    )


class Recorder(TorchDispatchMode):
    """Writes every operation onto a tape while torch carries it out.

    Args:
        given: the tensors that the function is given.
        rewrites: operations that are carried out, and written down, otherwise.

    Raises:
        TraceError: inside the function, where a number is read from a tensor or shapes depend on values.
    """

    def __init__(self, given: list[Any], rewrites: Rewrites | None = None) -> None:
        super().__init__()
        self.record, self._rewrites = Record(Tape()), dict(rewrites or {})
        self._scalars = Scalars(self.record.tape)
        self._lines: dict[int, Entry] = {}
        self._alive: list[Tensor] = []  # a line is found by the identity of its tensor, which must not be used anew
        self._outside: set[int] = set()  # the memory of tensors from outside, which views of them share
        self._moved: set[int] = set()  # tensors that depend on what the function was given
        self.given: list[Any] = []
        for number, leaf in enumerate(given):
            name = f"given_{number}"
            if isinstance(leaf, Tensor):
                self._moved.add(id(leaf))
                self._note(leaf, self.record.tape.given(name))
            self.given.append(leaf if isinstance(leaf, Tensor) else self._scalars.given(leaf, name))

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # saves the second that it takes to load torch's compiler

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not isinstance(func, OpOverload):
            raise TraceError(f"{func} is no operation of torch that can be written down.")
        if (rewrite := self._rewrites.pop(func, None)) is not None:
            try:  # popped, so that what it is rewritten to may use the operation itself
                with self:
                    found = rewrite(*args, **kwargs)
            finally:
                self._rewrites[func] = rewrite
            if found is not NotImplemented:
                return found
        facts = _facts(func)
        if facts.composite:
            with self:
                found = func.decompose(*args, **kwargs)
            if found is not NotImplemented:
                return found
        return self._carry_out(func, facts, args, kwargs)

    def _carry_out(self, func: OpOverload, facts: _Facts, args: Any, kwargs: Any) -> Any:
        tensors = _tensors(kwargs, _tensors(args, []))
        moved = any(id(tensor) in self._moved for tensor in tensors)
        self._refuse(func, facts, moved, tensors)
        if facts.writes:
            self._refuse_writing(func, facts, args, kwargs)
        fresh = func in FRESH and id(args[0]) not in self._lines
        line = self.record.tape.call(func, *self._written((args, kwargs), fresh))
        found = func(*args, **kwargs)
        if isinstance(found, Tensor):
            self._made(found, line, moved or facts.draws)
        elif isinstance(found, list | tuple):
            for place, each in enumerate(found):
                if isinstance(each, Tensor):
                    self._made(each, self.record.tape.call(_item, (line, place)), moved)
        return found

    def _refuse(self, func: OpOverload, facts: _Facts, moved: bool, tensors: list[Tensor]) -> None:
        if facts.reads and moved:
            raise TraceError(f"it reads a number from a tensor ({func.name()}), and goes on with that number.")
        if facts.dynamic and not (func is aten.index.Tensor and all(each.dtype not in MASKS for each in tensors[1:])):
            raise TraceError(f"the shape of what {func.name()} returns depends on values.")

    def _refuse_writing(self, func: OpOverload, facts: _Facts, args: Any, kwargs: Any) -> None:
        """A tensor that was not given would be written to while it is traced already."""
        for place, name in facts.writes:
            changed = args[place] if place < len(args) else kwargs.get(name)
            for tensor in _tensors(changed, []):
                if id(tensor) not in self._lines or _memory(tensor) in self._outside:
                    raise TraceError(f"it changes a tensor in place that it was not given ({func.name()}).")
                if facts.reshapes and self._lines[id(tensor)].name:
                    raise TraceError(f"it changes the shape of an argument in place ({func.name()}).")

    def _made(self, tensor: Tensor, line: Entry, moved: bool) -> None:
        if id(tensor) in self._lines:  # an operation in place returns the tensor that it changed
            return
        if moved:
            self._moved.add(id(tensor))
        self._note(tensor, line)

    def _note(self, tensor: Tensor, line: Entry) -> None:
        line.meta = {
            "shape": tuple(tensor.shape),
            "stride": tensor.stride(),
            "dtype": tensor.dtype,
            "device": tensor.device,
        }
        self._lines[id(tensor)] = line
        self._alive.append(tensor)

    def _hold(self, tensor: Tensor, fresh: bool) -> Entry:
        record = self.record
        line = record.tape.given(f"held_{len(record.held)}")
        if fresh:
            record.written.add(len(record.held))
        else:
            self._moved.add(id(tensor))
        record.held.append(tensor)
        self._outside.add(_memory(tensor))
        self._note(tensor, line)
        return line

    def _written(self, tree: Any, fresh: bool = False) -> Any:
        """The same nesting with lines in the place of tensors."""

        def line(leaf: Any) -> Any:
            if not isinstance(leaf, Tensor):
                return self._scalars.line(leaf)
            return self._lines[id(leaf)] if id(leaf) in self._lines else self._hold(leaf, fresh)

        return change(tree, line)

    def finish(self, results: list[Any]) -> Record:
        """Write down what the function returned."""
        self.record.tape.returns([self._written(result) for result in results])
        return self.record


class _StayInside(TorchFunctionMode):
    """Refuses the ways out of torch that no operation shows."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name in LEAVES_TORCH:
            raise TraceError(f"it takes values out of torch ({name}).")
        return func(*args, **(kwargs or {}))


def record(function: Callable[..., list[Any]], given: list[Any], rewrites: Rewrites | None = None) -> Any:
    """`(what the function returned, its Record)` for a function of tensors and floats that returns a list of leaves.

    Raises:
        TraceError: for whatever the function does that a record could not repeat, or dies of.
    """
    recorder = Recorder(given, rewrites)
    try:
        with _as_it_was(given), torch.enable_grad(), _StayInside(), recorder:
            results = function(*recorder.given)
    except TraceError:
        raise
    except Exception as error:  # functorch and autograd refuse in many ways, and all mean one thing
        raise TraceError(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}") from error
    return results, recorder.finish(results)


@contextmanager
def _as_it_was(given: list[Any]) -> Iterator[None]:
    """What is drawn while recording is not taken from the caller's generators."""
    devices = sorted({each.device for each in _tensors(given, []) if each.device.type == "cuda"}, key=str)
    with torch.random.fork_rng(devices):
        yield


def written(func: OpOverload) -> list[tuple[int, str]]:
    """The arguments that an operation changes in place: where they stand, and what they are called.

    Batch normalisation that trains moves its running statistics, and does not say so in its schema.
    """
    names = ("running_mean", "running_var") if "batch_norm" in func.name() and "backward" not in func.name() else ()
    return [
        (place, each.name)
        for place, each in enumerate(func._schema.arguments)
        if each.name in names or (each.alias_info is not None and each.alias_info.is_write)
    ]


def _tensors(tree: Any, found: list[Tensor]) -> list[Tensor]:
    """Add all tensors of a nesting to those that were found before."""
    if isinstance(tree, Tensor):
        found.append(tree)
    elif isinstance(tree, tuple | list | dict):
        for each in tree.values() if isinstance(tree, dict) else tree:
            _tensors(each, found)
    return found


def _memory(tensor: Tensor) -> int:
    """Where a tensor lies, which the recorder may ask though the function may not."""
    with torch._C.DisableTorchFunction():
        return tensor.untyped_storage()._cdata


def _item(several: Any, place: int) -> Any:
    return several[place]
