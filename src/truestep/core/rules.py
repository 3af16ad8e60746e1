"""The update rules: each a chain of links, and the twin of an optimizer of torch, bit for bit on a CPU.

The arguments are those of torch's class, with its defaults; numbers may be tensors that broadcast into the parameter.
`weight_decay` is per step (decoupled: per step and unit of learning rate), and 0 leaves its link out of the chain.
All raise ConfigError for a number outside its range.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor
from torch.optim import Optimizer

from truestep.core import adaptive, links
from truestep.core.chain import Rule
from truestep.core.errors import ConfigError
from truestep.core.flow import Number
from truestep.core.links import Link, State
from truestep.core.rules_of import read

Betas = tuple[Number, Number]


@dataclass(frozen=True, eq=False)
class Twin:
    """The rule that does to a parameter what a live optimizer would do, from where that optimizer is."""

    parameter: Tensor
    rule: Rule
    state: State
    group: int


def of(optimizer: Optimizer) -> dict[Tensor, Twin]:
    """Each parameter of a live optimizer, in the order of its groups, with its rule, hyper-parameters and state.

    The state is copied, so the twin goes on from here whatever the optimizer does next. `foreach`, `fused`,
    `capturable` and `differentiable` are ignored: they are other programs for the same formula.

    Raises:
        ConfigError: for an optimizer that has no twin, naming those that have one.

    >>> import torch
    >>> w = torch.ones(2, requires_grad=True)
    >>> of(torch.optim.SGD([w], lr=0.1, momentum=0.9))[w].rule
    SGD: clipping → momentum → learning rate
    """
    found = {}
    for live in read(optimizer):
        rule = RULES[live.name](**live.options)
        found[live.parameter] = Twin(live.parameter, rule, {**rule.init(live.parameter), **live.state}, live.group)
    return found


def sgd(
    lr: Number = 1e-3,
    momentum: Number = 0.0,
    dampening: Number = 0.0,
    weight_decay: Number = 0.0,
    nesterov: bool = False,
    *,
    maximize: bool = False,
) -> Rule:
    """`p = p - lr * b` with `b = momentum * b + (1 - dampening) * (g + weight_decay * p)`; see `links.momentum`.

    Convention: `torch.optim.SGD`. With nesterov, a momentum above 0 and no dampening are needed.
    """
    if nesterov and (not _used(momentum) or _used(dampening)):
        raise ConfigError("SGD: Nesterov momentum needs a momentum above 0 and a dampening of 0.")
    body = [links.momentum(nesterov)] if _used(momentum) else []
    hyper = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
    return _chained("SGD", [*body, links.learning_rate()], hyper, maximize)


def adam(
    lr: Number = 1e-3,
    betas: Betas = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    amsgrad: bool = False,
    *,
    maximize: bool = False,
    decoupled_weight_decay: bool = False,
) -> Rule:
    """`p = p - lr * m^ / (sqrt(v^) + eps)`; see `adaptive.adam`.

    Source: Kingma and Ba, Adam, 2015; convention: `torch.optim.Adam`.
    """
    hyper = {"lr": lr, **_betas(betas), "eps": eps, "weight_decay": weight_decay}
    body = [adaptive.adam(amsgrad), links.learning_rate()]
    return _chained("Adam", body, hyper, maximize, decoupled_weight_decay)


def adamw(
    lr: Number = 1e-3,
    betas: Betas = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: Number = 1e-2,
    amsgrad: bool = False,
    *,
    maximize: bool = False,
) -> Rule:
    """`p = (1 - lr * weight_decay) * p - lr * m^ / (sqrt(v^) + eps)`; see `adaptive.adam`.

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019; convention: `torch.optim.AdamW`.
    """
    hyper = {"lr": lr, **_betas(betas), "eps": eps, "weight_decay": weight_decay}
    return _chained("AdamW", [adaptive.adam(amsgrad), links.learning_rate()], hyper, maximize, decoupled=True)


def rmsprop(
    lr: Number = 1e-2,
    alpha: Number = 0.99,
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    momentum: Number = 0.0,
    centered: bool = False,
    *,
    maximize: bool = False,
) -> Rule:
    """`p = p - lr * b` with `b = momentum * b + g / (sqrt(v) + eps)`; see `adaptive.rms`.

    Source: Hinton, Lecture 6e of Neural networks for machine learning, 2012; convention: `torch.optim.RMSprop`.
    """
    body = [adaptive.rms(centered), *([links.momentum()] if _used(momentum) else []), links.learning_rate()]
    hyper = {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay, "momentum": momentum}
    return _chained("RMSprop", body, hyper, maximize)


def adagrad(
    lr: Number = 1e-2,
    lr_decay: Number = 0.0,
    weight_decay: Number = 0.0,
    initial_accumulator_value: Number = 0.0,
    eps: Number = 1e-10,
    *,
    maximize: bool = False,
) -> Rule:
    """`p = p - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps)`; see `adaptive.adagrad`.

    Source: Duchi et al., Adaptive subgradient methods for online learning, 2011; convention: `torch.optim.Adagrad`.
    """
    _check("Adagrad", {"initial_accumulator_value": initial_accumulator_value})
    hyper = {"lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay, "eps": eps}
    return _chained("Adagrad", [adaptive.adagrad(initial_accumulator_value), links.learning_rate()], hyper, maximize)


def nadam(
    lr: Number = 2e-3,
    betas: Betas = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    momentum_decay: Number = 4e-3,
    decoupled_weight_decay: bool = False,
    *,
    maximize: bool = False,
) -> Rule:
    """Adam with a look ahead, whose momentum grows by a schedule; see `adaptive.nadam`.

    Source: Dozat, Incorporating Nesterov momentum into Adam, 2016; convention: `torch.optim.NAdam`.
    """
    hyper = {"lr": lr, **_betas(betas), "eps": eps, "weight_decay": weight_decay, "momentum_decay": momentum_decay}
    return _chained("NAdam", [adaptive.nadam(), links.learning_rate()], hyper, maximize, decoupled_weight_decay)


def radam(
    lr: Number = 1e-3,
    betas: Betas = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    decoupled_weight_decay: bool = False,
    *,
    maximize: bool = False,
) -> Rule:
    """Adam whose first steps, while its denominator is a guess, go without it; see `adaptive.rectification`.

    Source: Liu et al., On the variance of the adaptive learning rate and beyond, 2020; convention: `torch.optim.RAdam`.
    """
    hyper = {"lr": lr, **_betas(betas), "eps": eps, "weight_decay": weight_decay}
    body = [adaptive.radam(), links.learning_rate(), adaptive.rectification()]
    return _chained("RAdam", body, hyper, maximize, decoupled_weight_decay)


def adamax(
    lr: Number = 2e-3,
    betas: Betas = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    *,
    maximize: bool = False,
) -> Rule:
    """`p = p - lr * m^ / u` with u the largest gradient of late; see `adaptive.adamax`.

    Source: Kingma and Ba, Adam, 2015, section 7.1; convention: `torch.optim.Adamax`.
    """
    hyper = {"lr": lr, **_betas(betas), "eps": eps, "weight_decay": weight_decay}
    return _chained("Adamax", [adaptive.adamax(), links.learning_rate()], hyper, maximize)


RULES: dict[str, Callable[..., Rule]] = {
    "SGD": sgd,
    "Adam": adam,
    "AdamW": adamw,
    "RMSprop": rmsprop,
    "Adagrad": adagrad,
    "NAdam": nadam,
    "RAdam": radam,
    "Adamax": adamax,
}


def _chained(
    name: str, body: Sequence[Link], hyper: dict[str, Number], maximize: bool, decoupled: bool = False
) -> Rule:
    """What all rules share around their own links: clipping and the sign before, decay before or after."""
    _check(name, hyper)
    decayed = _used(hyper["weight_decay"])
    chain = [
        links.clipping(),
        *([links.maximize()] if maximize else []),
        *([links.coupled_decay()] if decayed and not decoupled else []),
        *body,
        *([links.decoupled_decay()] if decayed and decoupled else []),
    ]
    read = {each for link in chain for each in link.reads}
    hyper = {key: value for key, value in {"clip": 1.0, **hyper}.items() if key in read}
    return Rule(name, tuple(chain), MappingProxyType(hyper))


def _betas(betas: Betas) -> dict[str, Number]:
    return {"beta1": betas[0], "beta2": betas[1]}


def _used(value: Number) -> bool:
    """A tensor keeps its link: some of its variants may use it."""
    return isinstance(value, Tensor) or value != 0


def _check(name: str, hyper: dict[str, Number]) -> None:
    for key, value in hyper.items():
        low, high = (value.min(), value.max()) if isinstance(value, Tensor) else (value, value)
        if not low >= 0:
            raise ConfigError(f"{name}: {key} is at least 0, and not {float(low)}.")
        if key.startswith("beta") and not high < 1:
            raise ConfigError(f"{name}: {key} is at least 0 and below 1, and not {float(high)}.")
