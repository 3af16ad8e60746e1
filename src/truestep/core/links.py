"""The links that update rules are chained from: each a pair (init, update) of pure functions over tensors.

Here are the links that are linear in the gradient; those that divide by what they have seen are in `adaptive.py`.
Symbols: d the direction so far, p the parameter, both of one shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from truestep.core.flow import Flow, Number

State = Mapping[str, Number]
"""What a rule remembers of one parameter, by the names that torch's optimizers give it."""
Hyper = Mapping[str, Number]
"""Hyper-parameters by name."""
F = TypeVar("F", bound=Flow)


class Update(Protocol):
    """What a link does; it changes nothing in place."""

    def __call__(self, flow: F, param: Tensor, state: State, hyper: Hyper, /) -> tuple[F, State]:
        """The flow moved on, and what is new in the state."""
        ...


@dataclass(frozen=True, repr=False, eq=False)
class Link:
    """One link of a chain.

    Args:
        name: what it is called where a chain is shown.
        update: pure function `(flow, param, state, hyper) -> (flow, what is new in the state)`.
        reads: names of the hyper-parameters that it reads.
        begins: name -> the first value of something that it remembers of a parameter.
    """

    name: str
    update: Update
    reads: tuple[str, ...] = ()
    begins: Mapping[str, Callable[[Tensor], Number]] = field(default_factory=dict)

    def init(self, param: Tensor) -> State:
        """What this link remembers of a parameter before its first step."""
        return {name: begin(param) for name, begin in self.begins.items()}

    def __repr__(self) -> str:
        return self.name


def clipping() -> Link:
    """`d = clip * d`; the cause "clipping" is `(clip - 1) * d`.

    The factor comes from outside, since it needs the gradients of all parameters: see `clip_factor`.
    """

    def update(flow: F, param: Tensor, state: State, hyper: Hyper) -> tuple[F, State]:
        clip = hyper["clip"]
        unclipped = not isinstance(clip, Tensor) and clip == 1
        return flow if unclipped else flow.times(clip, "clipping"), {}

    return Link("clipping", update, ("clip",))


def clip_factor(norm: Number, limit: Number) -> Number:
    """`min(1, limit / (norm + 1e-6))`, by which `torch.nn.utils.clip_grad_norm_` multiplies all gradients."""
    factor = (1.0 / (norm + 1e-6)) * limit  # as torch divides a number by a tensor, to the last bit
    return factor.clamp(max=1.0) if isinstance(factor, Tensor) else min(factor, 1.0)


def maximize() -> Link:
    """`d = -d`: climb the objective."""

    def update(flow: F, param: Tensor, state: State, hyper: Hyper) -> tuple[F, State]:
        return flow.times(-1.0), {}

    return Link("maximize", update)


def coupled_decay() -> Link:
    """`d = d + weight_decay * p`, the cause "decay": the gradient of `weight_decay / 2 * |p|^2`, an L2 penalty."""

    def update(flow: F, param: Tensor, state: State, hyper: Hyper) -> tuple[F, State]:
        return flow.add("decay", param, hyper["weight_decay"]), {}

    return Link("coupled decay", update, ("weight_decay",))


def decoupled_decay() -> Link:
    """`p = (1 - lr * weight_decay) * p` beside the step, the cause "decay".

    Convention: Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019, as in `torch.optim.AdamW`.
    """

    def update(flow: F, param: Tensor, state: State, hyper: Hyper) -> tuple[F, State]:
        return flow.keep(1 - hyper["lr"] * hyper["weight_decay"]), {}

    return Link("decoupled decay", update, ("lr", "weight_decay"))


def learning_rate() -> Link:
    """`d = lr * d`."""

    def update(flow: F, param: Tensor, state: State, hyper: Hyper) -> tuple[F, State]:
        return flow.wait(top=hyper["lr"]), {}

    return Link("learning rate", update, ("lr",))


def momentum(nesterov: bool = False) -> Link:
    """`b = momentum * b + (1 - dampening) * d`, in the first step `b = d`; then `d = b`, or `d + momentum * b`.

    The second is Nesterov's. The cause "momentum" is what b carries from earlier steps; `echo` takes it apart by steps.
    Convention: `torch.optim.SGD`, whose b is not multiplied by the learning rate (unlike Sutskever et al., On the
    importance of initialization and momentum in deep learning, 2013).
    """

    def update(flow: F, param: Tensor, state: State, hyper: Hyper) -> tuple[F, State]:
        buffer, mu = state.get("momentum_buffer"), hyper["momentum"]
        if isinstance(buffer, Tensor):
            velocity = flow.begin("momentum", buffer).times(mu).plus(flow, _share(hyper))
        else:
            velocity = flow.times(1.0)  # a division that waits is rounded here, as what goes into the buffer is
        kept = velocity.total()
        new = kept if isinstance(buffer, Tensor) else kept.clone()  # the gradient itself is the caller's to change
        return flow.plus(velocity, mu) if nesterov else velocity, {"momentum_buffer": new}

    return Link("Nesterov momentum" if nesterov else "momentum", update, ("momentum", "dampening"))


def _share(hyper: Hyper) -> Number:
    """What today's gradient enters with; torch leaves momentum out where it is 0, and the dampening with it."""
    mu, share = hyper["momentum"], 1 - hyper.get("dampening", 0.0)
    # Of two plain numbers torch.where makes float32.
    return torch.where(mu == 0, torch.ones_like(mu), share) if isinstance(mu, Tensor) else share


def echo(back: int, momentum: Number, dampening: Number = 0.0, nesterov: bool = False, first: bool = False) -> Number:
    """The factor with which the gradient of `back` updates ago stands in today's direction of `momentum`.

    `momentum^back * (1 - dampening)`; once more times momentum for Nesterov's, which adds today's gradient itself.

    Args:
        back: updates ago; 0 is today's.
        momentum: the factor of the buffer, per step.
        dampening: what of each new gradient is left out; the very first gradient enters whole.
        nesterov: whether the rule looks ahead.
        first: whether that gradient was the very first.

    >>> [echo(back, 0.5) for back in range(3)]
    [1.0, 0.5, 0.25]
    """
    share = momentum**back * (1.0 if first else 1 - dampening)
    if not nesterov:
        return share
    return momentum * share + (1.0 if back == 0 else 0.0)
