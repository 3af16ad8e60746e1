"""One training step on a whole batch, by hand: the gradient of one value, and update rules as their papers write them.

Independent of truestep and of `torch.optim`: plain tensors in float64, one parameter after another, no fused kernels.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

State = dict[str, Any]
Rule = Callable[[Tensor, Tensor, State], Tensor]
"""(weight, gradient, its own state) -> new weight"""


def gradient(model: nn.Module, value: Callable[[Any, Any], Tensor], x: Any, y: Any) -> tuple[Tensor, list[Tensor]]:
    """(value, gradients) of the whole batch at once."""
    found = value(model(x), y)
    return found.detach(), list(torch.autograd.grad(found, list(model.parameters())))


def norm(gradients: list[Tensor]) -> Tensor:
    return sum((one.square().sum() for one in gradients), torch.tensor(0.0, dtype=torch.float64)).sqrt()


def clip(gradients: list[Tensor], limit: float) -> list[Tensor]:
    """All gradients times limit / (norm + 1e-6) where that is below 1; the 1e-6 is torch's."""
    factor = limit / (norm(gradients) + 1e-6)
    return [one * min(factor, torch.tensor(1.0)) for one in gradients]


def sgd(lr: float, momentum: float = 0.0, weight_decay: float = 0.0, nesterov: bool = False) -> Rule:
    """g = g + decay w; v = momentum v + g; w = w - lr v (Nesterov: w - lr (g + momentum v)); v starts as g."""

    def rule(w: Tensor, g: Tensor, state: State) -> Tensor:
        g = g + weight_decay * w
        v = state["v"] = momentum * state["v"] + g if "v" in state else g
        return w - lr * (g + momentum * v if nesterov else v)

    return rule


def adamw(lr: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0.01) -> Rule:
    """Loshchilov and Hutter 2019: w = w - lr decay w - lr m^ / (sqrt(v^) + eps), with bias-corrected moments."""

    def rule(w: Tensor, g: Tensor, state: State) -> Tensor:
        t = state["t"] = state.get("t", 0) + 1
        m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g
        v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * g.square()
        corrected = (v / (1 - betas[1] ** t)).sqrt() + eps
        return w - lr * weight_decay * w - lr * (m / (1 - betas[0] ** t)) / corrected

    return rule


def take(
    model: nn.Module, value: Callable[[Any, Any], Tensor], rule: Rule, states: list[State], x: Any, y: Any,
    limit: float | None = None,
) -> Tensor:  # fmt: skip
    """Move the weights of `model` by one step on the whole batch; the value before the step."""
    loss, gradients = gradient(model, value, x, y)
    if limit is not None:
        gradients = clip(gradients, limit)
    with torch.no_grad():
        for w, g, state in zip(model.parameters(), gradients, states, strict=True):
            w.copy_(rule(w.clone(), g, state))
    return loss
