"""The gradient norm of every sample from one forward and one backward pass over the batch, where layers allow it.

During the forward pass a hook notes the input of each layer that `formulas` knows and the place of its output in the
graph. The backward pass stops at those places, so no weight gradient is ever computed; norms follow from inputs and
output gradients. Nothing is taken on trust: the graph is walked to see that every parameter acts through such layers
alone, and one more pass, over half of the samples, must leave the other half of every output gradient at exactly zero;
that fails where the batch is not the first dimension or where samples see one another. Whatever fails is done sample by
sample instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, Node, get_gradient_edge
from torch.nn.modules.batchnorm import _BatchNorm

from truestep.core.batch import widen
from truestep.core.model import Model
from truestep.explain.alone import ROOM, Case, looped_norms, mapped_norms
from truestep.explain.formulas import Form, Kind, gram_is_cheaper, join, kind_of, wide

MIXED = "the batch is not the first dimension throughout the model, or its samples see one another"


@dataclass(frozen=True, slots=True)
class Norms:
    """`values` (N,): 2-norm of each sample's gradient; `method`: "batched", "vmap", "loop" or "none"; `notes`: why."""

    values: Tensor
    method: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a known layer: its input, the place of its output in the graph, and of what is before it."""

    module: nn.Module
    kind: Kind
    x: Tensor
    edge: GradientEdge
    before: Node | None


@dataclass(slots=True)
class Calls:
    """What a forward pass did with the parameters that are trained; `trained`: id -> name."""

    trained: Mapping[int, str]
    samples: int
    made: list[Call] = field(default_factory=list)

    def note(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        """Forward hook: keep the call where its formulas hold."""
        x = args[0] if args else kwargs.get("input")
        if not isinstance(x, Tensor) or not isinstance(output, Tensor) or output.grad_fn is None:
            return
        kind = kind_of(module, x)
        if kind is not None and x.shape[0] % self.samples == 0 and output.shape[:1] == x.shape[:1]:
            before = get_gradient_edge(x).node if x.requires_grad else None
            self.made.append(Call(module, kind, x.detach(), get_gradient_edge(output), before))


@contextmanager
def noted(model: Model, trained: Mapping[int, str], samples: int) -> Iterator[Calls]:
    """Note the calls of known layers during a forward pass; every hook is gone afterwards."""
    calls, hooks = Calls(trained, samples), []
    try:
        for module in model.modules() if isinstance(model, nn.Module) else ():
            if any(id(parameter) in trained for parameter in module.parameters(recurse=False)):
                hooks.append(module.register_forward_hook(calls.note, prepend=True, with_kwargs=True))
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


def sample_norms(calls: Calls, contributions: Tensor, case: Case, drew: bool) -> Norms:
    """The gradient norm of each sample's contribution to the objective.

    Args:
        calls: what the forward pass noted.
        contributions: (N,) with the graph of that pass; consumed.
        case: the same figures for one sample at a time, for models whose layers are not all known.
        drew: whether the pass drew random numbers, which a pass over single samples cannot draw again.
    """
    coupled = coupling(case.model) if calls.samples > 1 else ""
    if coupled:
        return _none(contributions, coupled)
    why = _outside(contributions, calls)
    if not why and not (calls.made and contributions.requires_grad):
        return Norms(torch.zeros(len(contributions), dtype=torch.float64), "batched")
    if not why:
        found = _batched(calls, contributions)
        if isinstance(found, Tensor):
            return Norms(found.cpu().double(), "batched")
        why = found
    return _alone(contributions.detach(), case, drew, why)


def coupling(model: Model) -> str:
    """Why the samples of a batch have no gradients of their own in this model, as far as its layers tell, or ""."""
    modules = model.named_modules() if isinstance(model, nn.Module) else ()
    found = [
        name
        for name, module in modules
        if isinstance(module, _BatchNorm) and (module.training or not module.track_running_stats)
    ]
    if not found:
        return ""
    named = ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
    return (
        f"batch normalisation ({named}) takes its mean and variance from the batch, so each sample's loss depends on "
        "all samples and no sample has a gradient of its own: model.eval() freezes the statistics."
    )


def _none(contributions: Tensor, why: str) -> Norms:
    nan = torch.full((len(contributions),), float("nan"), dtype=torch.float64)
    return Norms(nan, "none", (f"There are no gradient norms by sample: {why}",))


def _outside(root: Tensor, calls: Calls) -> str:
    """Which trained parameters the loss reaches past the calls that were noted, in words, or ""."""
    inner = {call.edge.node: call.before for call in calls.made}
    seen, found = set[Node](), set[str]()
    waiting = [root.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node in inner:
            waiting.append(inner[node])
            continue
        if node.name() == "CheckpointFunctionBackward":
            return "a reentrant checkpoint hides the layers inside it"
        name = calls.trained.get(id(getattr(node, "variable", None)))
        if name is not None:
            found.add(name)
        waiting += [before for before, _ in node.next_functions]
    if not found:
        return ""
    first = sorted(found)
    named = ", ".join(first[:3]) + (f" and {len(first) - 3} more" if len(first) > 3 else "")
    return f"{named} acted outside of the layers whose gradient norms have a formula"


def _batched(calls: Calls, contributions: Tensor) -> Tensor | str:
    """(N,) norms by formula, or why the formulas do not hold."""
    edges = [call.edge for call in calls.made]
    if len(contributions) > 1 and _mixed(contributions, edges):
        finite = bool(torch.isfinite(contributions).all())
        return MIXED if finite else "the loss of some sample is not a finite number"
    gradients = torch.autograd.grad(contributions, edges, torch.ones_like(contributions), allow_unused=True)
    uses: dict[int, list[Use]] = {}
    for call, gradient in zip(calls.made, gradients, strict=True):
        for name in ("weight", "bias") if gradient is not None else ():
            parameter = getattr(call.module, name, None)
            if id(parameter) in calls.trained:
                uses.setdefault(id(parameter), []).append(Use(call, name, gradient))
    return _norms(list(uses.values()), contributions)


def _mixed(contributions: Tensor, edges: Sequence[GradientEdge]) -> bool:
    """Whether half of the samples, drawn the same way every time, move the rows of the others anywhere."""
    samples = len(contributions)
    half = torch.randperm(samples, generator=torch.Generator().manual_seed(samples)).to(contributions.device) % 2
    gradients = torch.autograd.grad(contributions, edges, half.to(contributions), retain_graph=True, allow_unused=True)
    others = half == 0
    moved = [g.unflatten(0, (samples, -1))[others].count_nonzero() for g in gradients if g is not None]
    return bool(moved) and bool(torch.stack(moved).any())


@dataclass(frozen=True, slots=True)
class Use:
    """One use of one parameter: as `name` ("weight" or "bias") of a call, with the gradient of its output."""

    call: Call
    name: str
    gradient: Tensor

    def form(self, samples: int, start: int, stop: int) -> Form:
        """What the parameter gains from the samples of this range, of all the `samples`."""
        x, g = (side.unflatten(0, (samples, -1))[start:stop].flatten(0, 1) for side in (self.call.x, self.gradient))
        formula = self.call.kind.weight if self.name == "weight" else self.call.kind.bias
        return formula(self.call.module, widen(x), widen(g), stop - start)

    def room(self, samples: int) -> int:
        """About how many numbers the formula holds for one sample."""
        weight: Any = getattr(self.call.module, self.name)
        if weight.dim() < 2 or not self.call.x.is_floating_point():
            return self.gradient.numel() // samples
        groups: int = getattr(self.call.module, "groups", 1)
        outs, ins = weight.shape[0] // groups, weight[0].numel()
        length = self.gradient.numel() // (samples * weight.shape[0])
        product = 2 * length**2 if gram_is_cheaper(outs, ins, length) else outs * ins
        return groups * (length * (outs + ins) + product)


def _norms(parameters: Sequence[Sequence[Use]], like: Tensor) -> Tensor | str:
    samples = len(like)
    squares = torch.zeros(samples, dtype=wide(like.device), device=like.device)
    with torch.no_grad():
        for uses in parameters:
            step = max(1, ROOM // max(1, sum(use.room(samples) for use in uses)))
            for start in range(0, samples, step):
                stop = min(start + step, samples)
                forms = [use.form(samples, start, stop) for use in uses]
                joined = join(forms)
                if joined is None:
                    return "layers of different kinds share a weight"
                squares[start:stop] += joined.squares()
    return squares.sqrt()


def _alone(contributions: Tensor, case: Case, drew: bool, why: str) -> Norms:
    """Norms from passes over single samples, which must give the losses that the batch gave."""
    notes = [f"Gradient norms come from passes over single samples, since {why}."]
    found, method = mapped_norms(case), "vmap"
    if found is None:
        try:
            found, method = looped_norms(case), "loop"
        except (RuntimeError, ValueError) as error:
            return _none(contributions, f"a pass over a single sample fails with: {str(error).splitlines()[0]}")
        notes.append("torch.func.vmap cannot follow this model, so the passes are made one after another: slow.")
    values, norms = (figure.cpu().double() for figure in found)
    if drew:
        notes.append("The model draws random numbers, so these norms are those of other draws than the losses.")
    elif _differ(values, contributions.cpu().double(), contributions.dtype):
        return _none(
            contributions, "the loss of a sample alone is not its loss within the batch, so samples see one another."
        )
    return Norms(norms, method, tuple(notes))


def _differ(alone: Tensor, batched: Tensor, dtype: torch.dtype) -> bool:
    told = torch.isfinite(batched)
    if not told.any():
        return False
    tolerance = torch.finfo(dtype).eps ** 0.5 * batched[told].abs().max()
    return not bool(((alone - batched)[told].abs() <= tolerance).all())
