"""The links that divide the gradient, entry by entry, by the size of the gradients that they have seen.

Symbols: g the direction that reaches the link, t the number of the step from 1, all operations entry by entry. Every
term of the loss shares the one denominator of its entry, so the causes of a flow stay a sum.
"""

from __future__ import annotations

import torch
from torch import Tensor

from truestep.core.flow import Number, addcmul, cast, scale
from truestep.core.links import F, Hyper, Link, State
from truestep.core.scalars import Scalar, computed, single_times


def adam(amsgrad: bool = False) -> Link:
    """`m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; d = m^ / (sqrt(v^) + eps)`.

    `m^ = m / (1 - beta1^t)` and `v^ = v / (1 - beta2^t)`; AMSGrad takes the largest v so far. The cause "momentum" is
    what m carries from earlier steps.

    Sources: Kingma and Ba, Adam, 2015; Reddi et al., On the convergence of Adam and beyond, 2018; `torch.optim.Adam`,
    which takes the largest v before its bias is corrected.
    """

    def update(flow: F, param: Tensor, state: State, hyper: Hyper) -> tuple[F, State]:
        t, (mean, new) = state["step"] + 1, _moments(flow, state, hyper)
        square = new["exp_avg_sq"]
        if amsgrad:
            square = new["max_exp_avg_sq"] = torch.maximum(_tensor(state, "max_exp_avg_sq"), square)
        corrected = square.sqrt() / cast((1 - hyper["beta2"] ** t) ** 0.5, square)
        return mean.wait(corrected + cast(hyper["eps"], square), bottom=1 - hyper["beta1"] ** t), {"step": t, **new}

    begins = {"step": _zero, "exp_avg": torch.zeros_like, "exp_avg_sq": torch.zeros_like}
    if amsgrad:
        begins["max_exp_avg_sq"] = torch.zeros_like
    return Link("AMSGrad" if amsgrad else "Adam", update, ("beta1", "beta2", "eps"), begins)


def nadam() -> Link:
    """`d = ((1 - mu_t) g / (1 - M_t) + mu_(t+1) m / (1 - M_(t+1))) / (sqrt(v^) + eps)`, with Adam's m and v^.

    `mu_t = beta1 (1 - 0.96^(t * momentum_decay) / 2)` and `M_t = mu_1 ... mu_t`, kept by torch in its default dtype.

    Source: Dozat, Incorporating Nesterov momentum into Adam, 2016; `torch.optim.NAdam`.
    """

    def update(flow: F, param: Tensor, state: State, hyper: Hyper) -> tuple[F, State]:
        t, (mean, new) = state["step"] + 1, _moments(flow, state, hyper)
        mu, ahead = (hyper["beta1"] * (1.0 - 0.5 * 0.96 ** (k * hyper["momentum_decay"])) for k in (t, t + 1))
        before = _tensor(state, "mu_product")
        product = before * (mu.to(before.dtype) if isinstance(mu, Tensor) else mu)
        reach = _reach(product, before, state.get("so_far"), mu)
        square = new["exp_avg_sq"]
        over = (square / cast(1 - hyper["beta2"] ** t, square)).sqrt() + cast(hyper["eps"], square)
        today = flow.wait(over, top=1.0 - mu, bottom=1.0 - reach)
        carried = mean.wait(over, top=ahead, bottom=1.0 - reach * ahead)
        return today.beside(carried), {"step": t, "mu_product": product, **new}

    begins = {"step": _zero, "mu_product": _one, "exp_avg": torch.zeros_like, "exp_avg_sq": torch.zeros_like}
    return Link("NAdam", update, ("beta1", "beta2", "eps", "momentum_decay"), begins)


def _reach(product: Tensor, before: Tensor, so_far: Number | None, mu: Number) -> Number:
    """The product of the momenta as a number; a program is given that before this step, `so_far`."""
    if isinstance(so_far, float) and not isinstance(mu, Tensor):
        return so_far * mu if before.dtype is torch.float64 else computed(single_times, so_far, mu)
    return product.double() if product.dim() or isinstance(mu, Tensor) else product.item()


def radam() -> Link:
    """`d = m / (1 - beta1^t)` with Adam's m, and v for `rectification`, which follows the learning rate."""

    def update(flow: F, param: Tensor, state: State, hyper: Hyper) -> tuple[F, State]:
        t, (mean, new) = state["step"] + 1, _moments(flow, state, hyper)
        return mean.wait(bottom=1 - hyper["beta1"] ** t), {"step": t, **new}

    begins = {"step": _zero, "exp_avg": torch.zeros_like, "exp_avg_sq": torch.zeros_like}
    return Link("RAdam", update, ("beta1", "beta2"), begins)


def rectification() -> Link:
    """`d = r sqrt(1 - beta2^t) / (sqrt(v) + eps) * d` where the length `rho` of the average is above 5, else `d`.

    `rho = R - 2 t beta2^t / (1 - beta2^t)` with `R = 2 / (1 - beta2) - 1`, and
    `r^2 = (rho - 4) (rho - 2) R / ((R - 4) (R - 2) rho)`.

    Source: Liu et al., On the variance of the adaptive learning rate and beyond, 2020; `torch.optim.RAdam`.
    """

    def update(flow: F, param: Tensor, state: State, hyper: Hyper) -> tuple[F, State]:
        t, beta2, square = state["step"], hyper["beta2"], _tensor(state, "exp_avg_sq")
        left = 1 - beta2**t
        most = 2 / (1 - beta2) - 1
        rho = most - 2 * t * beta2**t / left
        # A program is made of a step whose average is long, see `is_long`; what it is traced with may be of no length.
        long = isinstance(rho, Scalar) or rho > 5.0
        if not isinstance(long, Tensor) and not long:
            return flow.times(1.0), {}
        squared = (rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho)
        rect = (squared if isinstance(rho, Tensor) else abs(squared)) ** 0.5
        over = cast(left**0.5, square) / (square.sqrt() + cast(hyper["eps"], square))
        if isinstance(long, Tensor):
            rect, over = torch.where(long, rect, 1.0), torch.where(long, over, 1.0)
        return flow.times(over).times(rect), {}

    return Link("rectification", update, ("beta2", "eps"))


def is_long(t: float, beta2: float) -> bool:
    """Whether step t of `rectification` divides; from then on all do.

    >>> [is_long(t, 0.999) for t in (5, 6)]
    [False, True]
    """
    most = 2 / (1 - beta2) - 1
    return most - 2 * t * beta2**t / (1 - beta2**t) > 5.0


def rms(centered: bool = False) -> Link:
    """`v = alpha v + (1 - alpha) g^2; d = g / (sqrt(v) + eps)`; centered: `v - a^2` for v, with a the average of g.

    Sources: Hinton, Lecture 6e of Neural networks for machine learning, 2012; Graves, Generating sequences with
    recurrent neural networks, 2013 (centered); `torch.optim.RMSprop`, which adds eps outside the root.
    """

    def update(flow: F, param: Tensor, state: State, hyper: Hyper) -> tuple[F, State]:
        g, alpha = flow.total(), hyper["alpha"]
        square = _averaged_square(_tensor(state, "square_avg"), g, alpha)
        new: dict[str, Tensor] = {"square_avg": square}
        if centered:
            mean = new["grad_avg"] = torch.lerp(_tensor(state, "grad_avg"), g, cast(1 - alpha, g))
            square = torch.addcmul(square, mean, mean, value=-1)
        return flow.wait(square.sqrt() + cast(hyper["eps"], g)), {"step": state["step"] + 1, **new}

    begins = {"step": _zero, "square_avg": torch.zeros_like}
    if centered:
        begins["grad_avg"] = torch.zeros_like
    return Link("centered RMS" if centered else "RMS", update, ("alpha", "eps"), begins)


def adagrad(initial_accumulator_value: Number = 0.0) -> Link:
    """`s = s + g^2; d = g / (sqrt(s) + eps) / (1 + (t - 1) * lr_decay)`; s starts at the initial value.

    Source: Duchi et al., Adaptive subgradient methods for online learning, 2011; `torch.optim.Adagrad`.
    """

    def update(flow: F, param: Tensor, state: State, hyper: Hyper) -> tuple[F, State]:
        g, t = flow.total(), state["step"] + 1
        summed = addcmul(_tensor(state, "sum"), g, g, 1.0)
        over = summed.sqrt() + cast(hyper["eps"], g)
        return flow.wait(over, bottom=1 + (t - 1) * hyper["lr_decay"]), {"step": t, "sum": summed}

    def initial(param: Tensor) -> Tensor:
        return torch.zeros_like(param) + cast(initial_accumulator_value, param)

    return Link("Adagrad", update, ("lr_decay", "eps"), {"step": _zero, "sum": initial})


def adamax() -> Link:
    """`m = beta1 m + (1 - beta1) g; u = max(beta2 u, |g| + eps); d = m / (1 - beta1^t) / u`.

    Source: Kingma and Ba, Adam, 2015, section 7.1; `torch.optim.Adamax`, which adds the eps.
    """

    def update(flow: F, param: Tensor, state: State, hyper: Hyper) -> tuple[F, State]:
        g, t = flow.total(), state["step"] + 1
        mean = _averaged(flow, state, hyper["beta1"])
        reach = torch.maximum(scale(_tensor(state, "exp_inf"), hyper["beta2"]), g.abs() + cast(hyper["eps"], g))
        new = {"step": t, "exp_avg": mean.total(), "exp_inf": reach}
        return mean.wait(reach, bottom=1 - hyper["beta1"] ** t), new

    begins = {"step": _zero, "exp_avg": torch.zeros_like, "exp_inf": torch.zeros_like}
    return Link("Adamax", update, ("beta1", "beta2", "eps"), begins)


def _moments(flow: F, state: State, hyper: Hyper) -> tuple[F, dict[str, Tensor]]:
    """Adam's average of the gradient as a flow, and both averages as they are to be remembered."""
    mean = _averaged(flow, state, hyper["beta1"])
    square = _averaged_square(_tensor(state, "exp_avg_sq"), flow.total(), hyper["beta2"])
    return mean, {"exp_avg": mean.total(), "exp_avg_sq": square}


def _averaged(flow: F, state: State, beta: Number) -> F:
    before = _tensor(state, "exp_avg")
    if isinstance(beta, Tensor) and beta.dim() == 0:
        beta = beta.to(before)  # torch brings a rate in a tensor to the parameter's dtype first
    return flow.begin("momentum", before).toward(flow, 1 - beta)


def _averaged_square(before: Tensor, g: Tensor, beta: Number) -> Tensor:
    return addcmul(scale(before, beta), g, g, 1 - beta)


def _tensor(state: State, name: str) -> Tensor:
    found = state[name]
    assert isinstance(found, Tensor)
    return found


def _zero(param: Tensor) -> float:
    return 0.0


def _one(param: Tensor) -> Tensor:
    return torch.ones((), dtype=torch.float64 if torch.get_default_dtype() == torch.float64 else torch.float32)
