"""The real computation of a model and its loss, number by number, as formulas of the numbers before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from truestep.core.errors import ConfigError
from truestep.explain.chain.algebra import Cell, Formula, Number, Opaque, cells
from truestep.explain.chain.elements import Array
from truestep.explain.chain.operations import MOVES, OPERATIONS

NUMBERS = 5000
"""The most numbers that a computation may make before it is called too large to write out."""

TOO_LARGE = "too large to write out: give fewer samples, or a smaller model."

FACTORIES = frozenset(f"{kind}_like" for kind in ("empty", "zeros", "ones", "full", "rand", "randn", "randint"))
"""Operations that take a tensor for its shape: no gradient flows."""


class Trace(TorchDispatchMode):
    """Records every operation of torch that runs under it.

    A number is known by where it lies in memory, so views need no care and writing in place just replaces it. An
    operation whose formula is not known stays `Opaque`: `measure` finds its derivatives afterwards, from autograd.
    `epsilon` is that of the coarsest numbers that were computed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.made: list[Cell] = []
        self._memory: dict[tuple[int, int], Cell] = {}
        self._kept: list[Any] = []  # memory that is freed would be used again
        self._unknown: list[_Call] = []
        self.epsilon = 0.0
        self._seen: set[Cell] = set()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and the import of torch's compiler would take seconds

    def leaf(self, tensor: Tensor, stem: str, kept: int) -> Array:
        """Name the elements of a tensor that the computation starts from."""
        found = np.empty(tuple(tensor.shape), object)
        for place, value, where in _elements(tensor):
            cell = Cell(value, grad=tensor.requires_grad)
            christen(cell, stem, tuple(tensor.shape), place, kept)
            found[place] = self._memory[where] = cell
        self._kept.append(tensor)
        return found

    def label(self, tensor: Tensor, stem: str) -> None:
        """Name the elements of a result that have no name yet."""
        for place, _, where in _elements(tensor):
            cell = self._memory.get(where)
            if cell is not None and cell.group is not None and not cell.stem:
                christen(cell, stem, tuple(tensor.shape), place)

    def output(self, tensor: Tensor, stem: str) -> tuple[Array, set[str]]:
        """Name every element of an output, also one that is a parameter or an input itself; return the old names."""
        found, old = np.empty(tuple(tensor.shape), object), set[str]()
        for (place, value, where), cell in zip(_elements(tensor), self.read(tensor).flat, strict=True):
            if cell.group is None or cell in found.flat:
                cell = self._memory[where] = Cell(value, cell, cell.grad, group=found, place=place)
                self._note([cell])
            old.add(cell.stem)
            christen(cell, stem, found.shape, place)
            found[place] = cell
        return found, old - {""}

    def read(self, tensor: Tensor) -> Array:
        """The cells of a tensor: numbers that nobody computed are constants, detached ones have lost their gradient."""
        found = np.empty(tuple(tensor.shape), object)
        for place, value, where in _elements(tensor):
            cell = self._memory.get(where)
            if cell is None:
                cell = Cell(value, Number(value))
            elif cell.grad and not tensor.requires_grad:
                cell = Cell(cell.value, cell)
            found[place] = cell
        return found

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        call = _Call(func, args, kwargs or {}, self.read)
        out = func(*args, **(kwargs or {}))
        self._kept.append((args, kwargs, out))
        if not func._schema.is_mutable and _shares_memory(out, args):
            return out  # a view
        results = list(_tensors(out))
        formulas = call.formulas() or [None] * len(results)
        for number, (tensor, made) in enumerate(zip(results, formulas, strict=True)):
            if tensor.is_complex():
                raise ConfigError(f"{call.name} makes complex numbers, which cannot be written out.")
            if tensor.is_floating_point():
                self.epsilon = max(self.epsilon, torch.finfo(tensor.dtype).eps)
                self._write(tensor, made, call, number)
        return out

    def _write(self, tensor: Tensor, formulas: Array | None, call: _Call, number: int) -> None:
        group = np.empty(tuple(tensor.shape), object)
        opaque = formulas is None and call.grad
        if formulas is not None:
            self._note(cell for formula in formulas.flat for cell in cells(formula, written=True))
        for place, value, where in _elements(tensor):
            formula = Opaque(call.name) if opaque else Number(value) if formulas is None else formulas[place]
            cell = formula
            if not isinstance(cell, Cell):
                cell = Cell(value, formula, opaque or (call.grad and _follows(formula)), group=group, place=place)
                cell.whole = opaque
                self._note([cell])
            group[place] = self._memory[where] = cell
        if opaque:
            call.results[number] = group
            self._unknown.append(call)
        if len(self.made) > NUMBERS:
            raise ConfigError(f"this computation makes more than {NUMBERS:,} numbers, {TOO_LARGE}")

    def _note(self, found: Iterable[Cell]) -> None:
        for cell in found:
            if cell.group is not None and cell not in self._seen:
                self._seen.add(cell)
                self.made.append(cell)

    def measure(self) -> None:
        """Find the derivatives of the operations whose formulas are not known; call it when the trace has ended."""
        for call in dict.fromkeys(self._unknown):
            call.measure()


class _Call:
    """One call of an operation, its tensors read and copied before it ran: writing in place changes them."""

    def __init__(self, func: Any, args: Any, kwargs: Any, read: Callable[[Tensor], Array]) -> None:
        self.func, self.tree = func, (args, kwargs)
        self.name: str = func.overloadpacket.__name__.removesuffix("_")
        tensors = list(_tensors(self.tree))
        self.cells = [read(tensor) for tensor in tensors]
        self.copies = [tensor.detach().clone() for tensor in tensors]
        follows = torch.is_grad_enabled() and self.name not in FACTORIES
        self.grad = follows and any(cell.grad for found in self.cells for cell in found.flat)
        self.results: dict[int, Array] = {}

    def formulas(self) -> list[Array] | None:
        """The formulas of each result, or None where they are not known."""
        args, kwargs = _filled(self.tree, self.cells)
        if self.name in MOVES and not (self.name == "index_put" and any(args[3:])):
            return self._moved()
        build = OPERATIONS.get(self.name)
        made = build(*args, **kwargs) if build is not None else None
        return None if made is None else list(made) if isinstance(made, tuple) else [made]

    def _moved(self) -> list[Array]:
        """Where each number ends up, found by moving numbers that say where they come from."""
        first, sources, places = 1 << 40, list[Cell](), list[Tensor]()
        for found, copy in zip(self.cells, self.copies, strict=True):
            start = first + len(sources)
            if copy.is_floating_point():
                sources.extend(found.flat)
                copy = torch.arange(start, start + copy.numel(), dtype=torch.float64, device=copy.device)
                copy = copy.reshape(found.shape)
            places.append(copy)
        args, kwargs = _filled(self.tree, places)
        moved = []
        for result in _tensors(self.func(*args, **kwargs)):
            found = np.empty(tuple(result.shape), object)
            for place, value, _ in _elements(result):
                known = first <= value < first + len(sources)
                found[place] = sources[int(value) - first] if known else Number(value)
            moved.append(found)
        return moved

    def measure(self) -> None:
        """Give every result of this call its derivatives by the cells that it depends on."""
        chosen = [n for n, found in enumerate(self.cells) if any(cell.grad for cell in found.flat)]
        try:
            values = [copy.double() if copy.is_floating_point() else copy for copy in self.copies]
            self._measure(chosen, values)
        except RuntimeError:  # some kernels know no float64
            self._measure(chosen, self.copies)

    def _measure(self, chosen: Sequence[int], values: Sequence[Tensor]) -> None:
        def run(*leaves: Tensor) -> tuple[Tensor, ...]:
            given = dict(zip(chosen, leaves, strict=True))
            args, kwargs = _filled(self.tree, [given.get(n, value).clone() for n, value in enumerate(values)])
            outputs = list(_tensors(self.func(*args, **kwargs)))
            return tuple(outputs[number] for number in self.results)

        leaves = tuple(values[n] for n in chosen)
        for group, value in zip(self.results.values(), run(*leaves), strict=True):
            self._check(group, value)
        slopes: Any = torch.autograd.functional.jacobian(run, leaves)
        for group, by_leaf in zip(self.results.values(), slopes, strict=True):
            alike = len(chosen) == 1 and self.cells[chosen[0]].shape == group.shape
            for place, cell in np.ndenumerate(group):
                found: dict[Cell, float] = dict.fromkeys([self.cells[chosen[0]].item(place)] if alike else [], 0.0)
                for n, slope in zip(chosen, by_leaf, strict=True):
                    for source, number in zip(self.cells[n].flat, slope[place].flatten().tolist(), strict=True):
                        if number and source.grad:
                            found[source] = found.get(source, 0.0) + number
                cell.definition = Opaque(self.name.lstrip("_"), tuple(found), tuple(found.values()))

    def _check(self, group: Array, value: Tensor) -> None:
        recorded = torch.tensor([cell.value for cell in group.flat], dtype=value.dtype)
        if not torch.allclose(value.detach().flatten().cpu(), recorded, rtol=1e-2, atol=1e-3, equal_nan=True):
            raise ConfigError(
                f"the operation {self.name} gives other numbers when it runs again, so its derivative cannot be "
                "measured: give a model without random layers, model.eval()."
            )


def christen(cell: Cell, stem: str, shape: tuple[int, ...], place: tuple[int, ...], kept: int = 1) -> None:
    """Name a cell by its place in a tensor, without trailing dimensions of size 1 but for the first `kept` ones."""
    last = max((axis for axis, size in enumerate(shape) if size > 1), default=-1)
    length = max(last + 1, kept)
    cell.stem, cell.index, cell.shape = stem, place[:length], shape[:length]


def _elements(tensor: Tensor) -> Iterator[tuple[tuple[int, ...], float, tuple[int, int]]]:
    """Place, value and whereabouts in memory of each element, in order."""
    if tensor.numel() > NUMBERS:
        raise ConfigError(f"a tensor of shape {tuple(tensor.shape)} is {TOO_LARGE}")
    if tensor.layout != torch.strided:
        raise ConfigError("sparse tensors cannot be written out: give dense ones, tensor.to_dense().")
    start, size = tensor.untyped_storage().data_ptr(), tensor.element_size()
    values = tensor.detach().flatten().tolist() if not tensor.is_complex() else [0.0] * tensor.numel()
    for place, value in zip(np.ndindex(*tensor.shape), values, strict=True):
        offset = sum((n * stride for n, stride in zip(place, tensor.stride(), strict=True)), tensor.storage_offset())
        yield place, float(value), (start, int(offset) * size)


def _follows(formula: Formula) -> bool:
    """Whether autograd follows something in a formula."""
    return any(cell.grad for cell in cells(formula))


def _tensors(tree: Any) -> Iterator[Tensor]:
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, tuple | list):
        for part in tree:
            yield from _tensors(part)
    elif isinstance(tree, dict):
        yield from _tensors(tuple(tree.values()))


def _filled(tree: Any, values: Sequence[Any]) -> Any:
    """The same nesting with its tensors replaced, in order."""
    return _replaced(tree, iter(values))


def _replaced(tree: Any, values: Iterator[Any]) -> Any:
    if isinstance(tree, Tensor):
        return next(values)
    if isinstance(tree, tuple | list):
        return type(tree)(_replaced(part, values) for part in tree)
    return {key: _replaced(part, values) for key, part in tree.items()} if isinstance(tree, dict) else tree


def _shares_memory(out: Any, args: Any) -> bool:
    held = {tensor.untyped_storage().data_ptr() for tensor in _tensors(args) if tensor.numel()}
    return any(tensor.untyped_storage().data_ptr() in held for tensor in _tensors(out))
