"""Sees every call of torch from Python, the user's own and those of modules, while a close look lasts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from truestep.check import site
from truestep.check.asides import ASIDES, aside
from truestep.check.changes import Clear
from truestep.check.events import Number, Op
from truestep.check.frames import caller_of, relay
from truestep.check.looks import Seen, digest, kept, plain, pressed, seen, units
from truestep.check.names import plainly
from truestep.check.picks import PICKS, picked
from truestep.check.points import COMPARED, OVERLAID, columns
from truestep.check.recorder import Recorder
from truestep.check.sources import drawn
from truestep.check.trace import LOSSES

NUMBERS = {"item", "tolist", "__float__", "__int__", "__bool__", "__index__", "numpy", "__array__", "__format__"}
PROPERTIES = {"data", "grad", "T", "mT"}
BORING = {
    "dim", "size", "__len__", "numel", "stride", "is_floating_point", "is_complex", "_set_grad_enabled", "get_device",
    "__hash__", "is_contiguous", "has_names", "__repr__", "element_size", "untyped_storage", "data_ptr",
    "storage_offset", "storage", "is_signed", "__contains__", "__dir__", "__reduce_ex__", "register_hook", "backward",
    "is_inference", "is_set_to", "is_same_size", "is_pinned", "nelement", "ndimension", "__setstate__", "names",
    "result_type", "can_cast", "is_nonzero", "register_post_accumulate_grad_hook", "is_tensor", "retain_grad",
    "__deepcopy__", "is_shared", "share_memory_", "pin_memory", "broadcast_shapes",
    "_record_function_enter_new", "_record_function_exit._RecordFunction",
}  # fmt: skip
VALUED = LOSSES | {
    "softmax", "log_softmax", "sigmoid", "tanh", "relu", "log", "sqrt", "exp", "div", "pow", "logsigmoid", "eq", "sub",
    "mean", "sum", "gumbel_softmax", "lt", "le", "gt", "ge", "ne", "norm", "std", "var", "rsqrt", "reciprocal",
    "log1p", "log2", "log10", "acos", "asin", "__eq__", "scatter", "scatter_", "gelu", "silu", "mish", "relu6",
    "hardtanh", "hardsigmoid", "hardswish", "rsub", "__rsub__", "byte", "char", "short",
}  # fmt: skip
"""Calls whose inputs and outputs carry `values`."""
DRAWS = {
    "randperm", "randint", "rand", "randn", "rand_like", "randn_like", "randint_like", "normal", "bernoulli", "normal_",
    "uniform_", "bernoulli_", "multinomial",
}  # fmt: skip
PRODUCTS = ("matmul", "mm", "linear", "conv2d", "conv1d")
"""Calls with which a model written as a function begins: its data carry values and digests of their rows."""
ROWED = {"__getitem__", "index_select", "cat", "stack"} | DRAWS
BOUNDS = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}
NARROW = {torch.uint8, torch.int8, torch.int16}
LATE = 2000
"""Calls with bytes that are looked at where a look has ended before the first update."""
WRAPS = {"add", "sub", "mul", "rsub", "add_", "sub_", "mul_", "__rsub__", "__radd__", "__rmul__", "to", "type"}
"""Calls that carry `values` where their tensors are narrow integers, or the type that is asked for."""
GIVEN, MADE, LINKED = 64, 32, 1024
"""Items of a list that are written down: of one that is given, of one that comes out, and of tensors in a graph."""
REVERSED = {"rsub", "__rsub__", "__rdiv__"}
"""Calls that give the second operand first: they are written down in the order of their formula."""
ALIAS = {"rsub": "sub", "__rsub__": "sub", "__rdiv__": "div", "true_divide": "div", "sub_": "sub_", "__eq__": "eq"}


class Seeing(TorchFunctionMode):
    """Passes every call on as it is, and writes down those that say something."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder
        self._leaf_of: dict[int, int] = {}  # storage of a gradient -> its leaf
        self._bytes = 0  # calls with bytes that were looked at late
        self._below = 0  # modes of others that are below this one
        self.on = False
        recorder.lens = self.switch

    def __enter__(self) -> Seeing:
        self._below = torch._C._len_torch_function_stack()
        self.switch(True)
        return self

    def __exit__(self, *error: object) -> None:
        self.switch(False)

    def switch(self, on: bool) -> bool:
        """Turn the mode on or off, and return which it is.

        Modes are a stack, and those above this one are the user's: while there are any, everything stays as it is.
        """
        above = torch._C._len_torch_function_stack() - self._below - self.on
        if on != self.on and not above:
            if on:
                super().__enter__()
            else:
                super().__exit__(None, None, None)
            self.on = on
        return self.on

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        words = kwargs or {}
        if torch.compiler.is_compiling():  # a compiler goes through here too, and must find the call alone
            return func(*args, **words)
        recorder = self._recorder
        name = getattr(func, "__name__", "")
        if name in ("__get__", "__set__"):
            owner = getattr(func.__self__, "__name__", "")
            name = owner if name == "__get__" else f"{owner}="
            if name == owner and owner not in PROPERTIES:
                return func(*args, **words)
        if name in BORING or not recorder.awake or not (self._wanted(name) or self._late(args)):
            return func(*args, **words)
        if func is torch.autograd.grad:
            from truestep.check.gradients import differentiate

            return differentiate(recorder, func, args, words)
        return self._seen(func, name, args, words)

    def _wanted(self, name: str) -> bool:
        recorder = self._recorder
        if not recorder.close and name not in NUMBERS and name not in ("grad", "grad=", "zero_"):
            return False
        if not recorder.counted():
            return False
        below = (site.OPTIM,) * bool(recorder.stepping) + (site.DATA,) * bool(recorder.fetching)
        return not (below and site.below_torch(*below))

    def _late(self, args: Any) -> bool:
        """Whether bytes are reckoned with while data are made by more calls than a look lasts for."""
        recorder = self._recorder
        if recorder.close or recorder.trace.updates_made or recorder.fetching or self._bytes >= LATE:
            return False
        late = _narrow(args)
        self._bytes += late
        return late

    def _seen(self, func: Any, name: str, args: Any, words: dict[str, Any]) -> Any:
        recorder = self._recorder
        recorder.spend()
        look, told, place = name in VALUED or (name in WRAPS and _narrow((*args, *words.values()))), None, site.NOWHERE
        with recorder.looking:
            place = site.site(3)
            self.cleared(name, args, place)
            told = self._told(args, look), {key: self._one(value, look) for key, value in words.items()}
            if name in PRODUCTS and recorder.close and not recorder.modules and _begins(args):
                told = (seen(args[0], recorder.numbers, True, True), *told[0][1:]), told[1]
            if name in LOSSES and "ignore_index" in words and len(args) > 1:
                told[1]["kept"] = kept(args[1], words["ignore_index"])
            if name in PICKS and recorder.close:
                told[1]["places"] = picked(name, args)
            if name == "relu" and recorder.close and torch.is_grad_enabled():
                told[1]["units"] = units(args[0] if args else None)
        out = relay(caller_of(func, sys._getframe(2)))(func, *args, **words)
        with recorder.looking:
            if name in ("tensor", "as_tensor") and recorder.close:
                drawn(recorder, args[0] if args else None)
                recorder.codes.take(recorder, args[0] if args else None, out)
                if told is not None and not recorder.fetching:
                    told[1]["columns"] = columns(out)
            if name in BOUNDS and told is not None and recorder.close and torch.is_grad_enabled():
                told[1]["pressed"] = pressed(out, *BOUNDS[name])
            if name in ASIDES and told is not None and recorder.close and torch.is_grad_enabled():
                told[1].update(aside(name, args, words, out))
            if told is not None:
                self._write(name, told, out, place, args, look)
        return out

    def _write(self, name: str, told: Any, out: Any, place: site.Site, args: Any, look: bool) -> None:
        recorder, numbers = self._recorder, self._recorder.numbers
        if name in NUMBERS and told[0] and isinstance(told[0][0], Seen):
            self.number(name, args[0], told[0][0], place)
        if name == "grad" and isinstance(out, Tensor):
            self.gradient(args[0], out)
        if not (recorder.close or (_narrow(args) and not recorder.trace.updates_made)):
            return
        outs = out if isinstance(out, tuple | list) else [out]
        rowed = name in ROWED
        made = tuple(seen(each, numbers, look, rowed) for each in outs[: _most(outs, MADE)] if isinstance(each, Tensor))
        if name in DRAWS and made and not made[0].rows:  # too long for digests of its rows
            whole = digest(outs[0])
            made = (made[0]._replace(rows=() if whole is None else (whole.mark,)), *made[1:])
        if ALIAS.get(name, name) in COMPARED:
            recorder.points.compared(recorder, args)
        elif name in OVERLAID and not recorder.modules:
            recorder.points.overlaid(recorder, args)
        within = tuple(recorder.modules)
        args = told[0][::-1] if name in REVERSED else told[0]
        recorder.emit(
            Op, place, name=ALIAS.get(name, name), args=args, words=_reduced(told[1]), out=made,
            grad=torch.is_grad_enabled(), module=within[-1] if within else 0, within=within,
        )  # fmt: skip

    def number(self, how: str, tensor: Tensor, told: Seen, place: site.Site) -> None:
        """A tensor has become a number or an array."""
        self._recorder.rested |= not torch.is_grad_enabled()
        self._recorder.emit(Number, place, how=how, value=value_of(tensor), of=told)
        self._recorder.contents.take(self._recorder, how, tensor, place)

    def gradient(self, leaf: Tensor, gradient: Tensor) -> None:
        """A gradient was asked for by name: what is done to it in place is done to that leaf's."""
        self._leaf_of[self._recorder.numbers.storage(gradient)] = self._recorder.numbers.of(leaf)

    def cleared(self, name: str, args: Any, place: site.Site) -> None:
        """Note a gradient that is set to None or to zero by hand."""
        recorder, numbers = self._recorder, self._recorder.numbers
        if name == "grad=" and isinstance(args[0], Tensor) and args[0].grad is not None:
            value = args[1] if len(args) > 1 else None
            if value is None or (recorder.close and plain(value) and not bool(value.any())):
                held = digest(args[0].grad) if recorder.close else None
                recorder.emit(Clear, place, how="hand", owner=0, held=((numbers.of(args[0]), held and held.norm),))
        elif name == "zero_" and isinstance(args[0], Tensor):
            leaf = self._leaf_of.get(numbers.storage(args[0])) or recorder.whose(args[0])
            if leaf:
                held = digest(args[0]) if recorder.close else None
                recorder.emit(Clear, place, how="hand", owner=0, held=((leaf, held and held.norm),))

    def _told(self, values: Any, look: bool) -> tuple[Any, ...]:
        return tuple(self._one(value, look) for value in values)

    def _one(self, value: Any, look: bool) -> Any:
        if isinstance(value, Tensor):
            return seen(value, self._recorder.numbers, look)
        if isinstance(value, tuple | list):
            return tuple(self._one(each, look) for each in value[: _most(value, GIVEN)])
        if value is None or isinstance(value, bool | int | float | str):
            return plainly(value)
        if type(value).__module__ == "numpy" and getattr(value, "shape", None) == () and value.dtype.kind in "iufb":
            return value.item()
        if isinstance(value, slice):  # its ends may be tensors
            return slice(self._one(value.start, False), self._one(value.stop, False), self._one(value.step, False))
        return str(value) if isinstance(value, torch.dtype | torch.device) else type(value).__name__


def value_of(tensor: Tensor) -> float | None:
    """The number that a tensor of one real element holds; None for others."""
    single = plain(tensor) and tensor.numel() == 1 and not tensor.is_complex()
    return float(tensor.detach().double()) if single else None


def _begins(args: Any) -> bool:
    """Whether data meet a weight."""
    data, weight = args[:2] if len(args) > 1 else (None, None)
    return (
        isinstance(data, Tensor)
        and isinstance(weight, Tensor)
        and weight.requires_grad
        and not data.requires_grad
        and data.is_floating_point()
        and weight.is_leaf
    )


def _most(values: Sequence[Any], few: int) -> int:
    """How many of a list are written down: of one in a graph nearly all, since each may be a link to an update."""
    return LINKED if values and isinstance(values[0], Tensor) and values[0].requires_grad else few


def _narrow(args: Any) -> bool:
    return any((each.dtype if isinstance(each, Tensor) else each) in NARROW for each in args if _typed(each))


def _reduced(words: dict[str, Any]) -> dict[str, Any]:
    """The words of a call, with what the two old words for a loss's reduction come to."""
    average, reduce = words.get("size_average"), words.get("reduce")
    if not isinstance(average, bool) and not isinstance(reduce, bool):
        return words
    return words | {"reduction": "none" if reduce is False else "sum" if average is False else "mean"}


def _typed(value: Any) -> bool:
    return isinstance(value, Tensor | torch.dtype)
