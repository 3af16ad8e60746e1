"""What a live optimizer of torch holds of each parameter: its options and its state, as the rules name them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, optim

from truestep.core.errors import ConfigError
from truestep.core.links import State

_ADAM = ("lr", "betas", "eps", "weight_decay", "maximize")
OPTIONS: dict[type[optim.Optimizer], tuple[str, ...]] = {
    optim.SGD: ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize"),
    optim.Adam: (*_ADAM, "amsgrad", "decoupled_weight_decay"),
    optim.AdamW: (*_ADAM, "amsgrad"),
    optim.RMSprop: ("lr", "alpha", "eps", "weight_decay", "momentum", "centered", "maximize"),
    optim.Adagrad: ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps", "maximize"),
    optim.NAdam: (*_ADAM, "momentum_decay", "decoupled_weight_decay"),
    optim.RAdam: (*_ADAM, "decoupled_weight_decay"),
    optim.Adamax: _ADAM,
}
"""The options of each known optimizer that change its formula; a subclass may do anything, so it is not known."""


@dataclass(frozen=True, eq=False)
class Live:
    """One parameter of a live optimizer: what its group says and its state, copied."""

    parameter: Tensor
    name: str
    options: Mapping[str, Any]
    state: State
    group: int


def read(optimizer: optim.Optimizer) -> Iterator[Live]:
    """Every parameter of a known optimizer, in the order of its groups.

    Raises:
        ConfigError: for an optimizer that is not known, naming those that are.
    """
    kind = type(optimizer)
    if kind not in OPTIONS:
        known = ", ".join(each.__name__ for each in OPTIONS)
        raise ConfigError(
            f"{kind.__name__} has no rule that can be taken apart; the optimizers of torch that have one are {known}."
        )
    for number, group in enumerate(optimizer.param_groups):
        options = {name: _option(group[name]) for name in OPTIONS[kind] if name in group}
        for parameter in group["params"]:
            yield Live(parameter, kind.__name__, options, _state(optimizer.state.get(parameter, {})), number)


def _option(value: Any) -> Any:
    """A copy, since schedulers of torch change a rate in a tensor in place; one element counts as a number."""
    if isinstance(value, tuple | list):
        return tuple(_option(each) for each in value)
    return value.detach().clone().squeeze() if isinstance(value, Tensor) else value


def _state(held: Mapping[str, Any]) -> State:
    """A copy, the number of steps as a plain number; what torch has not begun yet (None) is left out."""
    found = {name: value for name, value in held.items() if value is not None}
    return {name: float(v) if name == "step" else v.detach().clone() for name, v in found.items()}
