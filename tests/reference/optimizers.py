"""Update rules as their papers write them, in Python's own numbers: each direction from all gradients since the start.

No state, no moving averages, no tensors: an average is the weighted sum that it stands for. A weight is one float.
"""

import math
from collections.abc import Callable
from typing import Any

Direction = Callable[..., float]
"""(gradients of this weight up to today's, options) -> what the learning rate multiplies"""


def walk(
    direction: Direction, w: float, gradients: list[float], lr: float, weight_decay: float = 0.0,
    decoupled_weight_decay: bool = False, maximize: bool = False, **options: Any,
) -> list[float]:  # fmt: skip
    """The weight after each step: w = w - lr * direction; L2 decay joins the gradient, decoupled decay shrinks w."""
    seen: list[float] = []
    path = []
    for g in gradients:
        g = -g if maximize else g
        seen.append(g if decoupled_weight_decay else g + weight_decay * w)
        shrunk = w - lr * weight_decay * w if decoupled_weight_decay else w
        w = shrunk - lr * direction(seen, **options)
        path.append(w)
    return path


def average(values: list[float], beta: float) -> float:
    """sum over k of (1 - beta) beta^k value_(t-k): what `m = beta m + (1 - beta) g` comes to from 0."""
    return sum((1 - beta) * beta**k * value for k, value in enumerate(reversed(values)))


def unbiased(values: list[float], beta: float) -> float:
    """The same with weights that add up to 1."""
    return average(values, beta) / sum((1 - beta) * beta**k for k in range(len(values)))


def squares(values: list[float]) -> list[float]:
    return [value * value for value in values]


def sgd(seen: list[float], momentum: float = 0.0, dampening: float = 0.0, nesterov: bool = False) -> float:
    """v_t = sum over k of momentum^k g_(t-k), all but the very first gradient damped; Nesterov: g + momentum v."""
    if not momentum:
        return seen[-1]
    damped = [seen[0], *((1 - dampening) * g for g in seen[1:])]
    v = sum(momentum**k * g for k, g in enumerate(reversed(damped)))
    return seen[-1] + momentum * v if nesterov else v


def adam(
    seen: list[float], betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, amsgrad: bool = False
) -> float:
    """Kingma and Ba 2015, algorithm 1; AMSGrad (Reddi et al. 2018) with the largest average of squares so far."""
    t = len(seen)
    v = max(average(squares(seen[:k]), betas[1]) for k in range(1 if amsgrad else t, t + 1))
    return unbiased(seen, betas[0]) / (math.sqrt(v / (1 - betas[1] ** t)) + eps)


def rmsprop(
    seen: list[float], alpha: float = 0.99, eps: float = 1e-8, momentum: float = 0.0, centered: bool = False
) -> float:
    """Hinton 2012; centered: Graves 2013, equations 38 to 45, with eps outside the root."""

    def normalised(past: list[float]) -> float:
        mean = average(past, alpha) if centered else 0.0
        return past[-1] / (math.sqrt(average(squares(past), alpha) - mean**2) + eps)

    t = len(seen)
    return sum(momentum**k * normalised(seen[: t - k]) for k in range(t if momentum else 1))


def adagrad(
    seen: list[float], lr_decay: float = 0.0, initial_accumulator_value: float = 0.0, eps: float = 1e-10
) -> float:
    """Duchi et al. 2011, the diagonal form."""
    size = math.sqrt(initial_accumulator_value + sum(squares(seen))) + eps
    return seen[-1] / size / (1 + (len(seen) - 1) * lr_decay)


def nadam(
    seen: list[float], betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, momentum_decay: float = 4e-3
) -> float:
    """Dozat 2016, algorithm 2, with the momentum schedule that the paper advises."""
    t = len(seen)
    mu = [betas[0] * (1 - 0.5 * 0.96 ** (k * momentum_decay)) for k in range(1, t + 2)]
    today = (1 - mu[t - 1]) * seen[-1] / (1 - math.prod(mu[:t]))
    ahead = mu[t] * average(seen, betas[0]) / (1 - math.prod(mu))
    return (today + ahead) / (math.sqrt(unbiased(squares(seen), betas[1])) + eps)


def radam(seen: list[float], betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8) -> float:
    """Liu et al. 2020, algorithm 2."""
    t = len(seen)
    most = 2 / (1 - betas[1]) - 1
    rho = most - 2 * t * betas[1] ** t / (1 - betas[1] ** t)
    m = unbiased(seen, betas[0])
    if rho <= 5:
        return m
    r = math.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))
    return r * m * math.sqrt(1 - betas[1] ** t) / (math.sqrt(average(squares(seen), betas[1])) + eps)


def adamax(seen: list[float], betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8) -> float:
    """Kingma and Ba 2015, algorithm 2: the largest gradient, each fading by beta2 a step."""
    reach = max(betas[1] ** k * (abs(g) + eps) for k, g in enumerate(reversed(seen)))
    return unbiased(seen, betas[0]) / reach
