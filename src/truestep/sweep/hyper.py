"""The update rules of stacked variants: what is equal for all stays a number, what differs becomes a tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from truestep.core.chain import Rule
from truestep.core.rules import RULES
from truestep.core.rules_of import OPTIONS, read
from truestep.sweep.grid import Variant
from truestep.sweep.settings import Maker
from truestep.sweep.tryout import CannotStack

Options = Mapping[str, Any]
"""The hyper-parameters of one parameter in one variant, named as its optimizer names them."""


def options_of(maker: Maker, variants: Sequence[Variant], model: nn.Module) -> tuple[str, list[dict[str, Options]]]:
    """`(name of the rule, of each variant parameter -> options)`; raises CannotStack for an optimizer without a rule.

    A class is asked once, and its settings are then taken by name; a function makes the groups of every variant.
    """
    first = maker.make_optimizer(model, variants[0].settings)
    if type(first) not in OPTIONS:
        raise CannotStack(f"{type(first).__name__} has no rule that can be taken apart.")
    name, held = _read(first, model)
    if not maker.is_class:
        return name, [_read(maker.make_optimizer(model, variant.settings), model)[1] for variant in variants]
    known, found = OPTIONS[type(first)], []
    for variant in variants:
        own = {key: each for key, each in maker.of_optimizer(variant.settings).items() if key in known}
        options = {**next(iter(held.values())), **own}
        found.append(dict.fromkeys(held, options))
    return name, found


def _read(optimizer: Optimizer, model: nn.Module) -> tuple[str, dict[str, Options]]:
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    lives = [live for live in read(optimizer) if live.parameter.requires_grad]
    return lives[0].name, {names[id(live.parameter)]: live.options for live in lives}


@dataclass(frozen=True, slots=True)
class Column:
    """A hyper-parameter that differs from variant to variant."""

    values: tuple[Any, ...]


def columns_of(options: Sequence[Mapping[str, Options]]) -> dict[str, dict[str, Any]]:
    """Parameter -> name -> one value for all variants, or a `Column`; in a pair, such as betas, either for each."""
    return {
        name: {key: _column([one[name][key] for one in options]) for key in own} for name, own in options[0].items()
    }


def rules_of(
    name: str,
    columns: Mapping[str, Mapping[str, Any]],
    picked: Sequence[int],
    params: Mapping[str, Tensor],
    shape: tuple[int, int],
) -> tuple[dict[str, Rule], dict[str, dict[str, Tensor]]]:
    """`(parameter -> its rule, parameter -> the hyper-parameters that differ)` of the variants `picked`."""
    rules = {}
    for parameter, tensor in params.items():
        sides = (*shape, *[1] * (tensor.dim() - 2))
        own = {key: _laid(each, picked, sides, tensor.device) for key, each in columns[parameter].items()}
        rules[parameter] = RULES[name](**own)
    hyper = {p: {k: v for k, v in rule.hyper.items() if isinstance(v, Tensor)} for p, rule in rules.items()}
    return rules, hyper


def _column(values: Sequence[Any]) -> Any:
    if all(each == values[0] for each in values):
        return values[0]
    if isinstance(values[0], tuple):
        return tuple(_column(each) for each in zip(*values, strict=True))
    return Column(tuple(values))


def _laid(value: Any, picked: Sequence[int], sides: tuple[int, ...], device: torch.device) -> Any:
    if isinstance(value, tuple):
        return tuple(_laid(each, picked, sides, device) for each in value)
    if not isinstance(value, Column):
        return value
    return torch.tensor([value.values[k] for k in picked], dtype=torch.float64, device=device).reshape(sides)


def begun(rule: Rule, param: Tensor) -> dict[str, Tensor]:
    """What a rule remembers before the first step, every number a tensor of each variant.

    Torch begins the buffer of the momentum with the first gradient; without dampening a buffer of zeros does the same.
    """
    found = {name: _of_each(value, param) for name, value in rule.init(param).items()}
    if "momentum" in rule.hyper and not _any(rule.hyper.get("dampening", 0.0)):
        found["momentum_buffer"] = torch.zeros_like(param)
    return found


def _of_each(value: float | Tensor, param: Tensor) -> Tensor:
    if isinstance(value, Tensor) and value.dim():
        return value
    size = (*param.shape[:2], *[1] * (param.dim() - 2))
    known = torch.as_tensor(value, dtype=torch.float64 if not isinstance(value, Tensor) else value.dtype)
    return known.to(param.device).expand(size).clone()


def _any(value: float | Tensor) -> bool:
    return bool((value != 0).any()) if isinstance(value, Tensor) else value != 0
