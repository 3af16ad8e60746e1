"""An update rule: a chain of named links from the gradient to the new parameter, run merged or itemised by cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from truestep.core.errors import ConfigError, ShapeError
from truestep.core.flow import Itemised, Merged, wide, with_rounding
from truestep.core.links import F, Hyper, Link, State

Gradients = Tensor | Mapping[str, Tensor]
"""The gradient of a parameter, or name of a loss term -> its part of that gradient."""
CAUSES = ("decay", "momentum", "clipping", "rounding")
"""What moves a weight besides the terms of the loss."""


@dataclass(frozen=True, repr=False, eq=False)
class Rule:
    """An update rule: a pair (init, update) of pure functions, chained from named links.

    Args:
        name: the optimizer of torch whose twin it is.
        links: what the gradient runs through, in order.
        hyper: hyper-parameters by name: numbers, or tensors that broadcast into the parameter, such as the `lr` of
            shape `(V, 1, 1)` for V variants of a matrix stacked to `(V, n, m)`.

    >>> from truestep.core import links
    >>> rule, w = Rule("halves", (links.learning_rate(),), {"lr": 0.5}), torch.tensor([1.0])
    >>> rule.update(torch.tensor([0.2]), w, rule.init(w))[0]
    tensor([0.9000])
    """

    name: str
    links: tuple[Link, ...]
    hyper: Hyper

    def init(self, param: Tensor) -> State:
        """What the rule remembers of a parameter before the first step."""
        return {name: value for link in self.links for name, value in link.init(param).items()}

    @torch.no_grad()
    def update(
        self, gradients: Gradients, param: Tensor, state: State, hyper: Hyper | None = None
    ) -> tuple[Tensor, State]:
        """`(new parameter, new state)`; nothing that is given is changed.

        Args:
            gradients: the gradient, or name of a loss term -> its part of it; of the shape of the parameter.
            param: the parameter before the step.
            state: as `init` or the step before gave it.
            hyper: hyper-parameters of this step in place of the rule's own: the `lr` of a schedule, the `clip` factor.

        Raises:
            ShapeError: for shapes that do not belong together: nothing is broadcast in silence.
            ConfigError: for a hyper-parameter that no link reads, and a state that is not this rule's.
        """
        whole = _summed(_terms(gradients, param), param)
        flow, state = self._run(Merged(whole), param, state, hyper)
        return flow.moved(param), state

    @torch.no_grad()
    def itemise(
        self,
        gradients: Gradients,
        param: Tensor,
        state: State,
        hyper: Hyper | None = None,
        *,
        whole: Tensor | None = None,
        new: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Cause -> the change of the parameter that it makes in this step, float64; added up, exactly new minus old.

        The causes are the loss terms by name ("gradient" for a bare tensor), "decay", "momentum" (carried from earlier
        steps), "clipping", and "rounding": what the dtype of the parameter did, a few ulp.

        Args:
            gradients: the gradient, or name of a loss term -> its part of it; also in float64.
            param: the parameter before the step.
            state: as `init` or the step before gave it.
            hyper: hyper-parameters of this step in place of the rule's own.
            whole: the gradient that the step used, where backward has rounded it otherwise than the sum of the terms.
            new: the parameter after the step, where something else than this rule moved it.

        Raises:
            ShapeError: for shapes that do not belong together.
            ConfigError: as `update`, and for a loss term that has the name of another cause.
        """
        terms = _terms(gradients, param)
        if taken := [name for name in terms if name in CAUSES]:
            raise ConfigError(
                f"a loss term is called {taken[0]!r}, which is a cause of its own beside the loss terms: rename it."
            )
        whole = _summed(terms, param) if whole is None else _fitting("gradient", whole, param)
        causes = {name: wide(term) for name, term in terms.items()}
        flow, _ = self._run(Itemised(Merged(whole), causes), param, state, hyper)
        new = flow.merged.moved(param) if new is None else _fitting("new parameter", new, param)
        moves = flow.moves(param)
        told = {cause: moves[cause] for cause in (*terms, *CAUSES) if cause in moves}
        return with_rounding(told, wide(new) - wide(param))

    def _run(self, flow: F, param: Tensor, state: State, changes: Hyper | None) -> tuple[F, State]:
        hyper = {**self.hyper, **(changes or {})}
        self._check(hyper, param, state)
        for link in self.links:
            flow, new = link.update(flow, param, state, hyper)
            state = {**state, **new}
        return flow, state

    def _check(self, hyper: Hyper, param: Tensor, state: State) -> None:
        if unread := hyper.keys() - self.hyper.keys():
            raise ConfigError(
                f"{self.name} has no {min(unread)!r} here: its chain is {self!r}, which reads {', '.join(self.hyper)}."
            )
        for name, value in hyper.items():
            if isinstance(value, Tensor) and value.dim() and not _fits(value, param):
                raise ShapeError(
                    f"{name} of shape {tuple(value.shape)} does not broadcast into a parameter of shape "
                    f"{tuple(param.shape)}: for V stacked variants it is (V, 1, ...)."
                )
        if missing := [name for link in self.links for name in link.begins if name not in state]:
            raise ConfigError(f"the state lacks {missing[0]!r} of {self.name}: begin with rule.init(parameter).")

    def __repr__(self) -> str:
        return f"{self.name}: {' → '.join(map(repr, self.links))}"


def _terms(gradients: Gradients, param: Tensor) -> dict[str, Tensor]:
    terms = {"gradient": gradients} if isinstance(gradients, Tensor) else dict(gradients)
    if not terms:
        raise ConfigError("an update needs a gradient: give the tensor, or name of a loss term -> its part.")
    for name, term in terms.items():
        _fitting(f"gradient {name!r}", term, param)
        if term.is_complex() or term.is_sparse:
            kind = "complex" if term.is_complex() else "sparse"
            raise ConfigError(f"the gradient {name!r} is {kind}: update rules run on dense tensors of real numbers.")
    return terms


def _fitting(name: str, tensor: Tensor, param: Tensor) -> Tensor:
    if tensor.shape != param.shape:
        shapes = f"{tuple(tensor.shape)} belongs to another parameter than this one of shape {tuple(param.shape)}"
        raise ShapeError(f"the {name} of shape {shapes}.")
    return tensor


def _summed(terms: Mapping[str, Tensor], param: Tensor) -> Tensor:
    first, *others = terms.values()
    for term in others:
        first = first + term
    return first.to(param.dtype)


def _fits(value: Tensor, param: Tensor) -> bool:
    try:
        return torch.broadcast_shapes(value.shape, param.shape) == param.shape
    except RuntimeError:
        return False
