"""The update of live optimizers as a function of tensors and numbers, made of their rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from truestep.core import rules
from truestep.core.adaptive import is_long
from truestep.core.chain import Rule
from truestep.core.errors import ConfigError, TraceError
from truestep.core.links import State

if TYPE_CHECKING:
    from truestep.core.step import TrainStep

Numbers = list[dict[str, Any]]
"""What each group says and which update it is at: the hyper-parameters of its rule, `step` where it counts them, and
`so_far`, the product of NAdam's momenta."""


class NotYet(TraceError):
    """An optimizer remembers nothing yet, as it will after its first step."""


@dataclass(frozen=True, slots=True, eq=False)
class _One:
    """One parameter: its rule, its group, and what torch remembers of it by name (not the number of its steps)."""

    parameter: Tensor
    rule: Rule
    group: int
    state: dict[str, Tensor]


class Moving:
    """The update that the optimizers of a step make with the gradients of some parameters.

    Args:
        step: whose optimizers these are.
        moved: the parameters that have a gradient.

    Raises:
        NotYet: where an optimizer has not begun, or is still at first steps that go otherwise than those that follow.
        TraceError: where it has no rule, or counts the steps of one group in several ways.
    """

    def __init__(self, step: TrainStep, moved: Sequence[Tensor]) -> None:
        self.clips = step.clip_norm is not None
        optimizers: Any = step.updates.optimizers  # pyright: ignore[reportAttributeAccessIssue]
        self.groups = [(one, group) for one in optimizers for group in one.param_groups]
        self._all, first = list[_One](), 0
        self.steps: list[list[Tensor]] = [[] for _ in self.groups]
        self.products: list[list[Tensor]] = [[] for _ in self.groups]
        wanted = {id(parameter) for parameter in moved}
        for one in optimizers:
            try:
                twins = rules.of(one).values()
            except ConfigError as error:
                raise TraceError(str(error)) from error
            for twin in twins:
                if id(twin.parameter) in wanted:
                    self._add(one, twin, first + twin.group)
            first += len(one.param_groups)
        self._by_id = {id(each.parameter): each for each in self._all}
        self.ones = [self._by_id[id(parameter)] for parameter in moved]
        self.parameters = [one.parameter for one in self.ones]
        # As torch holds them: whatever moves, moves in these.
        self.states = [one.state for one in self.ones]
        self.names = [self._names(number) for number in range(len(self.groups))]

    def _add(self, optimizer: Any, twin: rules.Twin, group: int) -> None:
        held = optimizer.state.get(twin.parameter, {})
        begun = all(name in held or name == "step" for name in self._remembered(twin))
        if not begun:
            raise NotYet("its optimizer has not taken a step yet.")
        if twin.rule.name == "RAdam" and not is_long(float(twin.state["step"]) + 1, float(twin.rule.hyper["beta2"])):
            raise NotYet("its first steps go without a denominator.")
        state = {name: value for name, value in held.items() if isinstance(value, Tensor) and name != "step"}
        if isinstance(held.get("step"), Tensor):
            self.steps[group].append(held["step"])
        if "mu_product" in state:
            self.products[group].append(state["mu_product"])
        self._all.append(_One(twin.parameter, twin.rule, group, state))

    def _remembered(self, twin: rules.Twin) -> list[str]:
        """What the rule remembers after a step: momentum has nothing before its first."""
        names = [name for link in twin.rule.links for name in link.begins]
        return [*names, "momentum_buffer"] if "momentum" in twin.rule.hyper else names

    def _names(self, group: int) -> list[str]:
        rule = next((each.rule for each in self.ones if each.group == group), None)
        names = [] if rule is None else [name for name in rule.hyper if name != "clip"]
        for name, held in (("step", self.steps[group]), ("so_far", self.products[group])):
            if len({float(each) for each in held}) > 1:
                raise TraceError("the parameters of one group have taken different numbers of steps.")
            names += [name] if held else []
        return names

    def numbers(self) -> Numbers:
        """The numbers of the update that comes."""
        return [
            {name: _number(group, name, {"step": steps, "so_far": products}) for name in names}
            for (_, group), names, steps, products in zip(
                self.groups, self.names, self.steps, self.products, strict=True
            )
        ]

    def __call__(
        self,
        params: Sequence[Tensor],
        gradients: Sequence[Tensor],
        states: Sequence[Mapping[str, Tensor]],
        steps: Sequence[Sequence[Tensor]],
        numbers: Numbers,
        clip: float,
    ) -> tuple[()]:
        """Move everything in place, as torch does: gradients are clipped, steps counted, state and weights moved."""
        for counts in steps:
            if counts:
                torch._foreach_add_(list(counts), 1)  # pyright: ignore[reportPrivateImportUsage]
        for one, param, gradient, state in zip(self.ones, params, gradients, states, strict=True):
            if self.clips:
                gradient.mul_(clip)
            new, after = one.rule.update(gradient, param, *self.given(one, state, numbers))
            for name, value in after.items():
                if isinstance(value, Tensor) and name in state:
                    state[name].copy_(value)
            param.copy_(new)
        return ()

    def given(self, one: _One, state: Mapping[str, Tensor], numbers: Numbers) -> tuple[State, dict[str, Any]]:
        """The state and the hyper-parameters with which the rule of a parameter is called."""
        own = dict(numbers[one.group])
        counted = {name: own.pop(name) for name in ("step", "so_far") if name in own}
        return {"step": 0.0, **state, **counted}, own


def _number(group: Any, name: str, held: Mapping[str, Sequence[Tensor]]) -> float:
    if name in held:
        return float(held[name][0])
    if name in ("beta1", "beta2"):
        return float(group["betas"][name == "beta2"])
    return float(group[name])
