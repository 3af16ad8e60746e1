"""Many models of one make as one: their tensors stacked, and a step and an evaluation of all of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import vmap

from truestep.core.batch import Batch, change
from truestep.core.chain import Rule
from truestep.core.gradients import Metric
from truestep.core.links import clip_factor
from truestep.core.loss import Loss, mean_of
from truestep.core.model import Bound, call
from truestep.core.objective import Objective

Tensors = dict[str, Tensor]
State = dict[str, Any]
"""What changes with each step: "params", "buffers", "rule" (name -> what the rule remembers), "alive"."""
Fixed = dict[str, Any]
"""What stays: "data" (inputs, targets), "frozen", "hyper" (parameter -> name -> tensor), "weights", "clip"."""


class _Differ:
    """What one variant computes from its batch."""

    def __init__(self, model: nn.Module, objective: Objective, metrics: Mapping[str, Metric]) -> None:
        self.model, self.objective, self.metrics = model, objective, metrics

    def __call__(
        self, params: Tensors, buffers: Tensors, weights: Tensors, inputs: Any, targets: Any
    ) -> tuple[Tensor, tuple[Tensors, Tensors, Tensors]]:
        """`(the objective, (totals, counts, buffers as they are afterwards))`; metrics are among the totals."""
        # In place, as batch normalisation moves its statistics, but not those of the caller.
        moved = {name: buffer.clone() for name, buffer in buffers.items()}
        output = call(Bound(self.model, {**params, **moved}), inputs)
        parts = self.objective.parts(output, targets)
        value = mean_of(parts, {**self.objective.weights, **weights})
        with torch.no_grad():
            parts |= {f"metric {name}": metric(output, targets) for name, metric in self.metrics.items()}
        totals = {name: part.total.detach() for name, part in parts.items()}
        counts = {name: _count(part) for name, part in parts.items()}
        return value, (totals, counts, moved)


@dataclass(frozen=True, eq=False)
class Stack:
    """A model, an objective, and a rule for each parameter; all tensors have the dimensions (orders, grid) in front.

    Variants in one row of `orders` see the same batches, which are then gathered once for all of them.
    """

    model: nn.Module
    objective: Objective
    metrics: Mapping[str, Metric]
    rules: Mapping[str, Rule]
    clips: bool

    def step(self, state: State, fixed: Fixed, row: Tensor) -> tuple[State, tuple[Tensors, Tensors]]:
        """One update of every variant; `row` (orders, batch) says which samples. Whatever comes is taken."""
        found = self._computed(state, fixed, row)
        params, rule = self._updated(found.gradients, state, fixed)
        after = {"params": params, "buffers": found.buffers, "rule": rule, "alive": state["alive"]}
        return after, (found.totals, found.counts)

    def guarded(self, state: State, fixed: Fixed, row: Tensor) -> tuple[State, tuple[Tensors, Tensors]]:
        """The same, but a variant whose loss or gradient is not finite stays as it is from there on.

        Where a batch counts nothing, it stays as it is for this step.
        """
        found = self._computed(state, fixed, row)
        finite = found.value.isfinite()
        for gradient in found.gradients.values():
            finite = (
                finite & gradient.flatten(2).isfinite().all(2) if gradient.dim() > 2 else finite & gradient.isfinite()
            )
        own = [found.counts[name] != 0 for name in self.objective.terms]
        counted = torch.stack(own).any(0)
        alive = state["alive"] & (finite | ~counted)
        params, rule = self._updated(found.gradients, state, fixed)
        moved = {"params": params, "buffers": found.buffers, "rule": rule}
        kept = {"params": state["params"], "buffers": state["buffers"], "rule": state["rule"]}
        after = _choose(alive & counted, moved, kept)
        return {**after, "alive": alive}, (found.totals, found.counts)

    def evaluated(self, state: State, fixed: Fixed, batch: Batch) -> tuple[Tensors, Tensors]:
        """`(totals, counts)` of every variant on one batch that all of them see."""
        with torch.no_grad():
            shape = state["alive"].shape
            inputs, targets = (change(side, lambda leaf: leaf.expand(shape[0], *leaf.shape)) for side in batch)
            given = ({**state["params"], **fixed["frozen"]}, state["buffers"], fixed["weights"])
            _, (totals, counts, _) = self._vmapped(*given, inputs, targets, shape)
        return totals, counts

    def _vmapped(
        self, params: Tensors, buffers: Tensors, weights: Tensors, inputs: Any, targets: Any, shape: Sequence[int]
    ) -> Any:
        """Every variant on its row's batch: `inputs` and `targets` are (orders, batch, ...)."""
        # Spread without a copy: losses that meet a stacked output with a target that is not stacked broadcast wrongly.
        targets = change(targets, lambda leaf: leaf.unsqueeze(1).expand(*shape, *leaf.shape[1:]))
        differ = _Differ(self.model, self.objective, self.metrics)
        grid = vmap(differ, in_dims=(0, 0, 0, None, 0), randomness="different")
        return vmap(grid, randomness="different")(params, buffers, weights, inputs, targets)

    def _computed(self, state: State, fixed: Fixed, row: Tensor) -> _Found:
        inputs, targets = (change(side, lambda leaf: _gathered(leaf, row)) for side in fixed["data"])
        with torch.enable_grad():
            params = {name: tensor.detach().requires_grad_() for name, tensor in state["params"].items()}
            given = ({**params, **fixed["frozen"]}, state["buffers"], fixed["weights"], inputs, targets)
            value, (totals, counts, buffers) = self._vmapped(*given, state["alive"].shape)
            # Variants do not touch one another, so the gradient of their sum is the gradient of each.
            found = torch.autograd.grad(value.sum(), list(params.values()), allow_unused=True)
        gradients = {name: each for name, each in zip(params, found, strict=True) if each is not None}
        return _Found(value.detach(), gradients, totals, counts, {k: v.detach() for k, v in buffers.items()})

    def _updated(self, gradients: Tensors, state: State, fixed: Fixed) -> tuple[Tensors, dict[str, Any]]:
        hyper = fixed["hyper"]
        clip = self._clip(gradients, fixed)
        params, rule = dict(state["params"]), dict(state["rule"])
        for name, gradient in gradients.items():
            now = hyper.get(name, {}) | ({} if clip is None else {"clip": _spread(clip, gradient)})
            # A gradient may lie in memory otherwise than its parameter, and a program is for one way to lie.
            moved = self.rules[name].update(gradient.contiguous(), params[name], rule[name], now)
            params[name], rule[name] = change(moved, Tensor.contiguous)
        return params, rule

    def _clip(self, gradients: Tensors, fixed: Fixed) -> Tensor | None:
        if not self.clips:
            return None
        squares = [gradient.square().sum(tuple(range(2, gradient.dim()))) for gradient in gradients.values()]
        factor = clip_factor(torch.stack(squares).sum(0).sqrt(), fixed["clip"])
        assert isinstance(factor, Tensor)
        return factor


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What a step computed before its update: (orders, grid) figures, and gradients of the shape of the parameters."""

    value: Tensor
    gradients: Tensors
    totals: Tensors
    counts: Tensors
    buffers: Tensors


def _gathered(leaf: Tensor, row: Tensor) -> Tensor:
    return leaf.index_select(0, row.flatten()).unflatten(0, row.shape)


def _count(part: Loss) -> Tensor:
    """A count as a tensor, in the dtype of the totals."""
    if isinstance(part.count, Tensor):
        return part.count.to(part.total.dtype)
    return torch.full((), float(part.count), dtype=part.total.dtype, device=part.total.device)


def _spread(figure: Tensor, like: Tensor) -> Tensor:
    """A figure of each variant, (orders, grid), with as many dimensions as `like` has."""
    return figure.reshape(*figure.shape, *[1] * (like.dim() - figure.dim()))


def _choose(take: Tensor, moved: Any, kept: Any) -> Any:
    """What moved where `take`, what was before elsewhere; what a rule has only begun to remember is taken."""
    if isinstance(moved, dict):
        return {name: _choose(take, each, kept[name]) if name in kept else each for name, each in moved.items()}
    return torch.where(_spread(take, moved), moved, kept) if moved.dim() >= take.dim() else moved


def stacked(models: Sequence[Mapping[str, Tensor]], shape: tuple[int, int]) -> Tensors:
    """The tensors of several models side by side: (orders, grid, ...)."""
    return {name: torch.stack([one[name] for one in models]).unflatten(0, shape) for name in models[0]}
