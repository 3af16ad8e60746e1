"""A step as a program: a function of tensors, written down once and run as a flat list of torch's own operations.

    program = trace(step, (params, inputs, targets))   # nested dicts, lists and tuples of tensors, in and out
    params, loss = program(params, inputs, targets)    # the same numbers, to the last bit
    fast = compiled(program)                           # core/inductor.py: through torch's compiler

`step` is pure: forward, loss, `torch.func.grad` or `torch.autograd.grad`, update, vmap around it or not. Whatever it is
given must be a tensor (a learning rate: a tensor of no dimension), or a float that no other number in it equals, see
`core/scalars.py`; what it closes over is held, by reference where it is a tensor, as the value of the moment where it
is a number. `trace` runs it twice on copies of the arguments, and the
program once, and refuses with a `TraceError` whatever could not be repeated: values that steer the flow or leave torch,
numbers that differ from call to call, and results that are not equal to the last bit.

A program is for the shapes, dtypes and devices that it was traced with: `program(...)` checks them, `program.run(...)`
does not. Run it under `torch.no_grad()`, or, for the least overhead, under `torch.inference_mode()`, whose results
autograd will never take. Random operations draw from torch's generator at each call, in the order of the function
(`program.draws`). `unrolled(step, k)` takes k steps a call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx
from torch._ops import OpOverload

from truestep.core.batch import change
from truestep.core.errors import TraceError
from truestep.core.nesting import flat, rebuilt
from truestep.core.pooling import SAME_BITS
from truestep.core.recording import CHANGES_SHAPE, DRAWS, Record, Rewrites, aten, record, written
from truestep.core.settling import adopt, settle
from truestep.core.spelling import made, named, spell


@dataclass(frozen=True, slots=True)
class Like:
    """What a tensor must be like to stand in the place of another."""

    shape: torch.Size
    stride: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device
    strict: bool = False

    def fits(self, tensor: Any) -> bool:
        """Whether a tensor is.

        Strides may differ, which costs time and changes nothing, but where the program is `strict`: a kernel reads the
        memory as it lay when it was compiled.
        """
        held = isinstance(tensor, Tensor)
        if not held or (tensor.shape, tensor.dtype, tensor.device) != (self.shape, self.dtype, self.device):
            return False
        pairs = zip(self.shape, self.stride, tensor.stride(), strict=True)
        return not self.strict or all(own == other for side, own, other in pairs if side > 1)

    def empty(self) -> Tensor:
        """A tensor that is like it, without values."""
        return torch.empty_strided(self.shape, self.stride, dtype=self.dtype, device=self.device)


@dataclass(frozen=True, slots=True)
class Real:
    """A float stands in this place."""

    def fits(self, leaf: Any) -> bool:
        """Whether a leaf is one."""
        return isinstance(leaf, float)

    def empty(self) -> Tensor:
        """Torch's compiler would take the number for a constant."""
        raise TraceError("it is given numbers, which a compiled program takes as tensors.")


@dataclass(frozen=True, eq=False)
class Program:
    """A function of tensors as a list of operations.

    Args:
        graph: the operations; its inputs are the leaves that are given, and `held`.
        takes: the nesting of the arguments.
        given: what each leaf of them must be like.
        returns: the nesting of the results.
        held: the tensors that the function closed over.
        run: the program itself, on arguments that are known to fit.
    """

    graph: fx.Graph
    takes: tuple[Any, ...]
    given: tuple[Like | Real, ...]
    returns: Any
    held: tuple[Tensor, ...]
    run: Callable[..., Any]

    def __call__(self, *args: Any) -> Any:
        """Run the program.

        Raises:
            TraceError: for arguments that it was not traced for.
        """
        if not self.fits(*args):
            raise TraceError("the program was traced for other shapes, dtypes or devices: trace it again for these.")
        return self.run(*args)

    def fits(self, *args: Any) -> bool:
        """Whether the program was traced for such arguments."""
        leaves, nesting = flat(args)
        return nesting == self.takes and all(like.fits(leaf) for like, leaf in zip(self.given, leaves, strict=True))

    @property
    def draws(self) -> bool:
        """Whether it draws random numbers."""
        return any(drawing(node) for node in self.graph.nodes)

    @property
    def writes(self) -> bool:
        """Whether it changes tensors in place."""
        return any(writing(node) for node in self.graph.nodes)


def trace(function: Callable[..., Any], args: Sequence[Any], rewrites: Rewrites = SAME_BITS) -> Program:
    """Write a pure function of tensors down as a program that returns the same bits.

    Args:
        function: `function(*args)`, nested dicts, lists and tuples of tensors in and out.
        args: arguments to trace with; they are copied, so that nothing of the caller's changes.
        rewrites: operations to carry out otherwise: on the same bits, see `core/pooling.py`, or within rounding, see
            `core/lowering.py`; {} for none.

    Raises:
        TraceError: for a function that a program could not repeat, in one sentence.
    """
    leaves, nesting = flat(tuple(args))
    if not all(isinstance(leaf, Tensor | float) for leaf in leaves):
        raise TraceError(
            "every argument must be a tensor or a float: anything else would become a part of the program."
        )
    returned: list[Any] = []

    def body(*given: Any) -> list[Any]:
        results, shape = flat(function(*rebuilt(nesting, given)))
        if not all(isinstance(result, Tensor) for result in results):
            raise TraceError("it returns something that is no tensor.")
        returned.append(shape)
        return results

    used = _copies(leaves)
    results, first = record(body, used, rewrites)
    _refuse_other(first, record(body, _copies(leaves), rewrites)[1])
    graph = first.tape.graph()
    simplify(graph)
    settle(graph)
    adopt(graph)
    likes = tuple(_like(leaf) for leaf in leaves)
    for quick in (True, False):  # the quick way of an operation is proved, as all of the program is
        text, names = spell(graph, nesting, returned[0], quick)
        run = made(text, {**names, **named(first.held)})
        program = Program(graph, nesting, likes, returned[0], tuple(first.held), run)
        if _equal(program, _copies(leaves), [*results, *used]):
            return program
    raise TraceError("the program does not return what the function returns.")


def unrolled(step: Callable[..., Any], times: int) -> Callable[..., Any]:
    """`times` steps as one function `(state, fixed, rows) -> (state, stacked)` of a step `(state, fixed, row)`.

    Args:
        step: `step(state, fixed, row) -> (state, out)`: what changes, what stays, and what is new in each step.
        times: how many steps; each tensor of `rows` has as many rows, and each of `stacked` too.
    """

    def several(state: Any, fixed: Any, rows: Any) -> Any:
        outs = []
        for number in range(times):
            state, out = step(state, fixed, change(rows, lambda leaf, number=number: leaf[number]))
            outs.append(flat(out))
        nesting = outs[0][1]
        return state, rebuilt(nesting, [torch.stack(leaves) for leaves in zip(*(out[0] for out in outs), strict=True)])

    return several


def simplify(graph: fx.Graph) -> None:
    """Leave out what changes nothing: detached tensors, transposed twice, results that nobody reads."""
    # Where the shape of a tensor changes in place, an alias of it is not the same.
    fixed = not any(CHANGES_SHAPE in getattr(node.target, "tags", ()) for node in graph.nodes)
    for node in list(graph.nodes) if fixed else ():
        if node.target in (aten.detach.default, aten.alias.default):
            node.replace_all_uses_with(node.args[0])
        elif node.target is aten.t.default and getattr(node.args[0], "target", None) is aten.t.default:
            node.replace_all_uses_with(node.args[0].args[0])
    for node in reversed(list(graph.nodes)):
        if node.op == "call_function" and not node.users and not writing(node) and not drawing(node):
            graph.erase_node(node)


def drawing(node: fx.Node) -> bool:
    """Whether a node draws random numbers; attention that drops nothing out does not."""
    if DRAWS not in getattr(node.target, "tags", ()):
        return False
    named = {each.name: place for place, each in enumerate(node.target._schema.arguments)}  # pyright: ignore[reportAttributeAccessIssue, reportFunctionMemberAccess]
    if "dropout_p" not in named:
        return True
    given = node.args[named["dropout_p"]] if named["dropout_p"] < len(node.args) else node.kwargs.get("dropout_p", 0.0)
    return bool(isinstance(given, fx.Node) or given != 0.0)


def writing(node: fx.Node) -> bool:
    """Whether a node changes a tensor in place."""
    return isinstance(node.target, OpOverload) and bool(written(node.target))


def _like(leaf: Any) -> Like | Real:
    return Like(leaf.shape, leaf.stride(), leaf.dtype, leaf.device) if isinstance(leaf, Tensor) else Real()


def _copies(leaves: Sequence[Any]) -> list[Any]:
    return [leaf.detach().clone() if isinstance(leaf, Tensor) else leaf for leaf in leaves]


def _refuse_other(first: Record, second: Record) -> None:
    """Two records of one function must be one, or something besides its arguments steers it."""
    if not first.tape.same(second.tape) or len(first.held) != len(second.held):
        raise TraceError("two calls with the same arguments do not carry out the same operations.")
    for number, (one, other) in enumerate(zip(first.held, second.held, strict=True)):
        same = torch.equal(one, other) if number in first.written else one is other
        if not same:
            raise TraceError("two calls with the same arguments use different numbers or tensors from outside.")


def _equal(program: Program, arguments: list[Any], expected: list[Any]) -> bool:
    """Whether a program returns what the function returned, and leaves its arguments as that did, to the last bit."""
    try:
        with torch.random.fork_rng([]), torch.no_grad():
            results = flat(program.run(*rebuilt(program.takes, arguments)))[0]
    except (RuntimeError, TypeError):
        return False
    pairs = zip([*results, *arguments], expected, strict=True)
    return all(_same(a, b) for a, b in pairs)


def _same(a: Any, b: Any) -> bool:
    if not isinstance(a, Tensor):
        return a == b
    return same_bits(a, b)


def same_bits(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors hold the same numbers, NaN for NaN."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    return torch.equal(a, b) or bool(((a == b) | ((a != a) & (b != b))).all())
