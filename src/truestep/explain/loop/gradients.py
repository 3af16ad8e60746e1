"""What each `.grad` of a loop is made of: every backward pass by term, and what was done to it since."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from truestep.explain.entries import filled
from truestep.explain.loop.naming import Term
from truestep.explain.loop.roots import Root, leaves

CLIPPED = "clipping"
CHANGED = "changed by the program"
LEFT = "left from earlier steps"


Cause = tuple[int, str]
"""Number of the backward pass, 0 for what is none, and the term, or what else was done."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One backward pass: the terms at the root of what is differentiated, what the program calls them, and its value.

    `among` are the only tensors whose gradients it forms, None for all leaves of the graph.
    """

    roots: Sequence[Root]
    terms: Sequence[Term]
    value: float
    among: Sequence[Tensor] | None = None


@dataclass(slots=True)
class Gradients:
    """Cause -> its part of each gradient, in float64; the parts add up to `.grad` but for rounding.

    `terms` has every term with the factor that it had in its pass, `losses` the value of each pass in order.
    """

    parts: dict[Tensor, dict[Cause, Tensor]] = field(default_factory=dict)
    terms: dict[Cause, Term] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _known: dict[Tensor, Tensor | None] = field(default_factory=dict)
    _object: dict[Tensor, Tensor | None] = field(default_factory=dict)
    _plain: int = 0  # losses whose scale is off already
    _running: Cause | None = None  # while a backward pass runs: what it does is its own
    _told: bool = False  # the pass that runs has given each term its part already

    @property
    def running(self) -> bool:
        """Whether a backward pass is under way."""
        return self._running is not None

    def follow(self, parameters: Iterable[Tensor]) -> None:
        """Begin to account for gradients; what stands in one already is left from before."""
        for parameter in parameters:
            if parameter not in self.parts:
                self.parts[parameter], self._known[parameter] = {}, None
                self._settle(parameter, (0, LEFT))

    def settle(self, what: str = CHANGED) -> None:
        """Whatever happened to a gradient since it was looked at last has this cause; one that was cleared has none."""
        for parameter in self.parts:
            self._settle(parameter, self._running or (0, what))

    def spent(self, parameters: Iterable[Tensor]) -> None:
        """An update used these gradients: what is still there at the next one was left over."""
        for parameter in parameters:
            held = self.parts.get(parameter)
            if held:
                self.parts[parameter] = {(0, LEFT): torch.stack(list(held.values())).sum(0)}

    def scaled(self, parameters: Iterable[Tensor], factor: float) -> None:
        """The gradients were multiplied, as by what takes the scale of a loss in float16 off again."""
        for parameter in parameters:
            if parameter in self.parts:
                self.parts[parameter] = {cause: factor * part for cause, part in self.parts[parameter].items()}
                self._look(parameter)
        for (number, name), term in self.terms.items():
            if number > self._plain:
                self.terms[number, name] = replace(term, weight=factor * term.weight)
        self.losses[self._plain :] = [factor * loss for loss in self.losses[self._plain :]]
        self._plain = len(self.losses)

    def backward(self, one: Pass, run: Callable[[], Any]) -> Any:
        """Run a backward pass, and give each of its terms its part of the gradients."""
        reached = [leaf for leaf in leaves(one.roots) if leaf.requires_grad]
        reached = [leaf for leaf in reached if one.among is None or any(leaf is each for each in one.among)]
        self.follow(reached)
        self.settle()
        self.losses.append(one.value)
        number, names = len(self.losses), [term.name for term in one.terms]
        self.terms |= {(number, term.name): term for term in one.terms}
        apart = self._by_term(one.roots, reached) if len(names) > 1 else None
        for name, gradients in zip(names, apart or [], strict=apart is not None):
            for parameter, gradient in zip(reached, gradients, strict=True):
                if gradient is not None:
                    self._give(parameter, (number, name), filled(gradient, parameter).detach().double())
        self._running, self._told = (number, " + ".join(names)), apart is not None
        try:
            return run()
        finally:
            self.settle()
            self._running, self._told = None, False

    def _settle(self, parameter: Tensor, cause: Cause) -> None:
        now, known = parameter.grad, self._known[parameter]
        if now is None or not bool(filled(now, parameter).any()):
            if self._running is None:
                self.parts[parameter], self._known[parameter] = {}, None
            return
        if now is not self._object.get(parameter) and self.parts[parameter].keys() == {(0, LEFT)}:
            self.parts[parameter], known = {}, None  # another tensor in its place: nothing of it is left
        now = filled(now, parameter).detach()
        if known is None or not torch.equal(now, known):
            if not self._told:
                self._give(parameter, cause, now.double() if known is None else now.double() - known.double())
            self._look(parameter)

    def _by_term(self, found: Sequence[Root], reached: list[Tensor]) -> list[list[Tensor | None]] | None:
        try:
            return [
                list(torch.autograd.grad([root.edge], reached, [root.gradient], retain_graph=True, allow_unused=True))
                for root in found
            ]
        except RuntimeError as error:  # such as checkpoints that only backward() itself can go through
            self.notes.append(f"the terms of the loss are told as one: {str(error).splitlines()[0]}")
            return None

    def _give(self, parameter: Tensor, cause: Cause, part: Tensor) -> None:
        held = self.parts[parameter]
        held[cause] = held[cause] + part if cause in held else part

    def _look(self, parameter: Tensor) -> None:
        now = self._object[parameter] = parameter.grad
        self._known[parameter] = None if now is None else filled(now, parameter).detach().clone()
