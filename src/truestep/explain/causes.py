"""Why two steps differ: B is given one thing of A after another, and what makes the updates equal is a cause."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from truestep.core.batch import rows
from truestep.core.outcome import StepOut
from truestep.core.precision import Precision
from truestep.core.step import TrainStep
from truestep.core.updates import TorchUpdates
from truestep.explain.measure import variant
from truestep.explain.objectives import losses_differ
from truestep.explain.pair import Pair, Taken, Tweak, length, minus

PROGRAM = {"params", "foreach", "fused", "capturable", "differentiable", "initial_lr"}  # not part of the formula
MOST = 4  # causes
_DECAY = {False: "L2 in the gradient", True: "decoupled from it"}


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing in which B differs from A; `tweak` gives B what A has; `factor` what a number of B is to be times."""

    name: str
    words: str
    tweak: Tweak
    factor: float | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The causes that were found, and whether B with all of A's settings in their place takes A's step."""

    causes: tuple[Cause, ...]
    whole: bool


def close(pair: Pair, a: Taken, b: Taken, grown: float = 1.0) -> bool:
    """Whether two updates are equal but for the rounding of the weights, or `grown` times as much of it."""
    noise = max(1.0, grown) * pair.noise
    return not b.reason and length(minus(b.updates, a.updates)) <= 1e-5 * max(a.norm, b.norm) + noise


def find(pair: Pair, a: Taken, b: Taken) -> Found:
    """The fewest things of A that make B's update equal, each chosen for what it alone does to the difference."""
    left, chosen = list(_differences(pair, a, b)), list[Cause]()
    error = length(minus(b.updates, a.updates))
    while left and len(chosen) < MOST:
        tried = [(cause, pair.take_b(*(one.tweak for one in (*chosen, cause)))) for cause in left]
        equal = next((cause for cause, taken in tried if close(pair, a, taken)), None)
        if equal is not None:
            return Found((*chosen, equal), True)
        errors = [(length(minus(taken.updates, a.updates)), cause) for cause, taken in tried if not taken.reason]
        least, best = min(errors, key=lambda one: one[0], default=(error, left[0]))
        if least > 0.9 * error:
            break
        error = least
        chosen.append(best)
        left.remove(best)
    return Found(tuple(chosen), False)


def _differences(pair: Pair, a: Taken, b: Taken) -> Iterator[Cause]:
    """Everything in which the two steps are set differently, what is told most easily first."""
    if isinstance(pair.a.updates, TorchUpdates) and isinstance(pair.b.updates, TorchUpdates):
        yield from _options(pair)
        yield from _state(pair)
    assert a.out is not None
    assert b.out is not None
    if pair.a.clip_norm != pair.b.clip_norm:
        words = f"clipping: {_clipped('A', pair.a, a.out)}, {_clipped('B', pair.b, b.out)}"
        yield Cause("clip_norm", words, _setting("clip_norm", pair.a.clip_norm))
    if pair.a.micro_batch != pair.b.micro_batch:
        yield Cause("micro_batch", _split_words(pair, a, b), _setting("micro_batch", pair.a.micro_batch))
    if pair.a.precision.dtype != pair.b.precision.dtype:
        precise = Precision(pair.a.precision.dtype, pair.b.device)
        words = f"precision: A runs under amp={pair.a.precision.dtype} and B under amp={pair.b.precision.dtype}"
        yield Cause("amp", words, lambda step: variant(step, precision=precise))
    yield from _modes(pair)
    if pair.a.objective is not pair.b.objective:
        words = losses_differ(pair, a.out, b.out)
        yield Cause("objective", words, lambda step: variant(step, objective=pair.a.objective))


def _setting(name: str, value: Any) -> Tweak:
    def tweak(step: TrainStep) -> TrainStep:
        other = copy.copy(step)
        setattr(other, name, value)
        return other

    return tweak


# --- what the optimizers hold --------------------------------------------------------------------------------------


def groups(step: TrainStep) -> list[dict[str, Any]]:
    """The parameter groups of all optimizers of torch that a step has."""
    optimizers = step.updates.optimizers if isinstance(step.updates, TorchUpdates) else []
    return [group for optimizer in optimizers for group in optimizer.param_groups]


def scaled(option: str, factor: float) -> Tweak:
    """B with a number of all its groups times a factor."""

    def tweak(step: TrainStep) -> TrainStep:
        for group in groups(step):
            if option in group:
                _set(group, option, group[option] * factor)
        return step

    return tweak


def _options(pair: Pair) -> Iterator[Cause]:
    """Every option that both optimizers know and that differs, where one value of A serves each group of B."""
    wanted = {id(pair.second[name]): id(tensor) for name, tensor in pair.first.items() if name in pair.second}
    theirs = {id(p): group for group in groups(pair.a) for p in group["params"]}
    names = dict.fromkeys(name for group in groups(pair.b) for name in group if name not in PROGRAM)
    for name in names:
        values: list[tuple[dict[str, Any], Any, Any]] = []
        for group in groups(pair.b):
            met = [theirs[wanted[id(p)]] for p in group["params"] if id(p) in wanted]
            found = [_plain(one[name]) for one in met if name in one]
            if name in group and found and all(one == found[0] for one in found):
                values.append((group, _plain(group[name]), found[0]))
        unlike = [(mine, other) for _, mine, other in values if mine != other]
        if unlike:
            mine, other = unlike[0]
            words = f"{name} is {_shown(other)} in A and {_shown(mine)} in B"
            if name == "decoupled_weight_decay":
                words = f"decay: {_DECAY[bool(other)]} in A and {_DECAY[bool(mine)]} in B"
            yield Cause(name, words, _given(name, [(group, other) for group, _, other in values]), _factor(unlike))


def _given(name: str, values: list[tuple[dict[str, Any], Any]]) -> Callable[[TrainStep], TrainStep]:
    def tweak(step: TrainStep) -> TrainStep:
        for group, value in values:
            _set(group, name, value)
        return step

    return tweak


def _set(group: dict[str, Any], name: str, value: Any) -> None:
    if isinstance(group[name], Tensor):  # a schedule may hold the same tensor
        group[name].fill_(value)
    else:
        group[name] = value


def _factor(unlike: list[tuple[Any, Any]]) -> float | None:
    """What every value of B is to be times, where one factor serves all."""
    if not all(isinstance(one, int | float) and not isinstance(one, bool) for both in unlike for one in both):
        return None
    factors = {other / mine if mine else None for mine, other in unlike}
    return factors.pop() if len(factors) == 1 else None


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, Tensor) and value.numel() == 1 else value


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _state(pair: Pair) -> Iterator[Cause]:
    """What the optimizers remember of earlier steps: momentum, and the sizes of gradients that were."""
    of_a, of_b = (
        {p: state for one in _optimizers(step) for p, state in one.state.items()} for step in (pair.a, pair.b)
    )
    kinds = [{type(one) for one in _optimizers(step)} for step in (pair.a, pair.b)]
    if (not of_a and not of_b) or kinds[0] != kinds[1] or pair.a.updates is pair.b.updates:
        return
    had = [len(state) > 0 for state in (of_a, of_b)]
    both = "A and B carry the state of different earlier steps"
    one = f"only {'A' if had[0] else 'B'} carries state of earlier steps"

    def tweak(step: TrainStep) -> TrainStep:
        for optimizer in _optimizers(step):
            optimizer.state.clear()
            for group in optimizer.param_groups:
                for p in group["params"]:
                    twin = next((pair.first.get(name) for name, tensor in pair.second.items() if tensor is p), None)
                    if twin is not None and twin in of_a:
                        optimizer.state[p] = copy.deepcopy(of_a[twin])
        return step

    yield Cause("state", f"momentum: {both if all(had) else one}", tweak)


def _optimizers(step: TrainStep) -> list[Any]:
    return step.updates.optimizers if isinstance(step.updates, TorchUpdates) else []


# --- what the steps are set to -------------------------------------------------------------------------------------


def _clipped(name: str, step: TrainStep, out: StepOut) -> str:
    if step.clip_norm is None:
        return f"{name} does not clip its gradient of norm {out.grad_norm:.4g}"
    if out.grad_norm <= step.clip_norm:
        return f"{name} need not clip its gradient of norm {out.grad_norm:.4g}"
    return f"{name} cuts its gradient from {out.grad_norm:.4g} to {step.clip_norm:g}"


def _split_words(pair: Pair, a: Taken, b: Taken) -> str:
    samples = rows(pair.batch[0]) or rows(pair.batch[1])
    parts_a, parts_b = (-(-samples // (step.micro_batch or samples)) for step in (pair.a, pair.b))
    ratio = b.norm / a.norm if a.norm else 0.0
    if abs(ratio * parts_a / parts_b - 1) < 1e-3:
        longer, parts = ("B", parts_b) if parts_b > parts_a else ("A", parts_a)
        return f"a missing division in the accumulation: {longer} adds the means of its {parts} micro-batches"
    return f"the split: A takes the batch in {parts_a} and B in {parts_b}, and the loss or the model feels it"


def _modes(pair: Pair) -> Iterator[Cause]:
    mine, others = pair.b.model, pair.a.model
    if not isinstance(mine, nn.Module) or not isinstance(others, nn.Module) or mine is others:
        return
    modes = {name: module.training for name, module in others.named_modules()}
    unlike = [name for name, module in mine.named_modules() if modes.get(name, module.training) != module.training]
    if not unlike:
        return

    def tweak(step: TrainStep) -> TrainStep:
        for name, module in mine.named_modules():
            module.training = modes.get(name, module.training)
        return step

    where = unlike[0] or "the model"
    yield Cause("mode", f"mode: {where} is in training mode in only one of the two", tweak)
