"""`prove`: is this step exact on this model and data, and where it cannot be, by how much is it off?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from truestep.core.batch import Batch, leaves, size
from truestep.core.errors import ConfigError, CountError, NonFiniteError
from truestep.core.model import caveats
from truestep.core.step import TrainStep
from truestep.explain.claims import EXACT, IMPOSSIBLE, Claim, Proof, figure
from truestep.explain.handmade import undone
from truestep.explain.measure import caught, in_float64, quiet, relative, variant, widened
from truestep.explain.preserve import check_step
from truestep.explain.resumed import resume
from truestep.explain.trials import SHAKEN, Trial, forced, trials

REFUSED = (RuntimeError, TypeError, ValueError, NotImplementedError)
"""What is raised where a model cannot be run in float64, or on parts of a batch."""

SLACK = 100.0  # how many times what the last digit of the weights does still counts as rounding
FLOORS = {torch.float64: (1e-11, 1e-6), torch.float32: (1e-5, 1e-3), torch.bfloat16: (0.05, 0.3)}
FLOORS[torch.float16] = (0.02, 0.3)


@dataclass(frozen=True, slots=True)
class _Bench:
    """What the trials are judged by: two batches, the rounding of both precisions, the noise of random draws."""

    step: TrainStep
    batch: Batch
    dtype: torch.dtype
    rounding: float
    rounding64: float | None
    noise: float | None
    coupled: Sequence[str]


def prove(step: TrainStep, inputs: Any, targets: Any) -> Proof:
    """Try on a batch whether this step is exact: split, accumulated, reordered, reduced otherwise, and resumed.

    Each claim compares gradients, `|g - g_whole| / |g_whole|` over all parameters, as they reach the optimizer and
    before clipping; a resumed run compares weights, optimizer state and random state to the bit. The figures are taken
    again in float64, which tells rounding from error: rounding is what the last digit of the weights would change.
    Where layers draw or couple samples, the claim is tried again without them, and the draws are measured against each
    other.

    Args:
        step: the step to prove; its model, optimizer and the random state end as they were. What a hand-written
            updater or a module keeps for itself is put back as far as names lead to it.
        inputs: as the step takes them.
        targets: as the step takes them.

    Returns:
        a `Proof`: `.exact`, `.claims`, `.off`, `.impossible`, `.words`, `.table()`.

    >>> from torch import nn
    >>> model = nn.Linear(3, 1)
    >>> step = TrainStep(model, nn.MSELoss(), torch.optim.SGD(model.parameters(), lr=0.1))
    >>> prove(step, torch.randn(10, 3), torch.randn(10, 1)).exact
    True
    """
    check_step(step)
    batch = (inputs, targets)
    samples = size(inputs, targets)
    try:
        bench = _bench(step, batch)
    except (NonFiniteError, ConfigError) as error:
        if isinstance(error, ConfigError) and "skipped" not in str(error):
            raise
        words = f"This step cannot be taken: {error}"
        return Proof((Claim("the step can be taken", IMPOSSIBLE, float("nan"), None, words),))
    claims = [_judge(bench, trial) for trial in trials(step, batch, samples)]
    return Proof((*claims, resume(step, batch)))


def _bench(step: TrainStep, batch: Batch) -> _Bench:
    whole = caught(step, [batch])
    noise = relative(caught(step, [batch], redraw=True).gradients, whole.gradients) if whole.drew else None
    dtype = step.precision.dtype or min(
        (leaf.dtype for leaf in _floating(step, batch)), key=lambda one: torch.finfo(one).bits, default=torch.float32
    )
    bare = _Bench(step, batch, dtype, 0.0, 0.0, noise, caveats(step.model, True, False))
    with quiet(step.model):
        error, error64 = _measured(bare, SHAKEN)
    rounding = _bounded(SLACK * error, dtype)
    rounding64 = None if error64 is None else _bounded(SLACK * error64, torch.float64)
    return _Bench(step, batch, dtype, rounding, rounding64, noise, bare.coupled)


def _floating(step: TrainStep, batch: Batch) -> list[Tensor]:
    held = [*step.updates.parameters, *(leaf for _, leaf in leaves(batch[0]))]
    return [one for one in held if isinstance(one, Tensor) and one.is_floating_point()]


def _bounded(error: float, dtype: torch.dtype) -> float:
    low, high = FLOORS[dtype]
    return min(max(error, low), high)


def _measured(bench: _Bench, trial: Trial, step: TrainStep | None = None) -> tuple[float, float | None]:
    """The error as the step runs, and in float64, None where model or loss cannot be run so."""
    step = step or bench.step
    error = trial.measure(step, bench.batch)
    try:
        with undone(step), in_float64(step):
            return error, trial.measure(step, widened(bench.batch))
    except REFUSED:
        return error, None


def _holds(bench: _Bench, error: float, error64: float | None) -> bool:
    if error64 is None or bench.rounding64 is None:
        return error <= bench.rounding
    # Code that says .float() rounds so in float64 too; no true error is as small in both.
    return error64 <= bench.rounding64 or (error64 <= FLOORS[torch.float64][1] and error <= bench.rounding)


def _judge(bench: _Bench, trial: Trial) -> Claim:
    try:
        error, error64 = _measured(bench, trial)
    except CountError as refused:
        return _refused(bench, trial, refused)
    except REFUSED as refused:
        words = f"This cannot be run: {_sentence(str(refused).splitlines()[0])}"
        return Claim(trial.claim, IMPOSSIBLE, float("nan"), None, words)
    if _holds(bench, error, error64):
        half = bench.dtype in (torch.float16, torch.bfloat16) and error > FLOORS[torch.float32][0]
        verdict, words = (IMPOSSIBLE, _halved(bench, error64)) if half else (EXACT, _rounded(bench, error, error64))
        return Claim(trial.claim, verdict, error, error64, words)
    why = _excused(bench, trial, error)
    if why:
        return Claim(trial.claim, IMPOSSIBLE, error, error64, why)
    worst = error if error64 is None else error64
    return Claim(trial.claim, f"off by {figure(worst)}", error, error64, _accused(trial))


def _excused(bench: _Bench, trial: Trial, error: float) -> str:
    """Why no division could make this claim hold, where the claim holds without what is in its way; else ""."""
    coupled = bench.coupled if trial.parts else []
    if bench.noise is None and not coupled:
        return ""
    with quiet(bench.step.model):
        still, still64 = _measured(bench, trial)
        draws, couples = caught(bench.step, [bench.batch]).drew, caveats(bench.step.model, True, False)
    held = _holds(bench, still, still64)
    chance = draws and bench.noise is not None and error <= 3 * bench.noise
    if not held and not chance and not (couples and trial.parts):
        return ""
    words = [_sentence(one) for one in coupled]
    if bench.noise is not None:
        words.append(
            f"Random numbers (dropout) are drawn anew: off by {figure(error)}, where two draws of the unsplit batch "
            f"differ by {figure(bench.noise)}."
        )
    if held:
        rounding = figure(still if still64 is None else still64)
        words.append(f"In evaluation mode, without what these layers do, the error is {rounding}: rounding.")
    return " ".join(words)


def _refused(bench: _Bench, trial: Trial, refused: CountError) -> Claim:
    """A loss that must not be split; how far a split would lead is measured by doing it all the same."""
    words = _sentence(str(refused))
    try:
        loose = variant(bench.step, objective=forced(bench.step.objective))
        error, error64 = _measured(bench, trial, loose)
    except REFUSED:
        return Claim(trial.claim, IMPOSSIBLE, float("nan"), None, words)
    worst = figure(error if error64 is None else error64)
    agree = f"would agree here, to {worst}" if _holds(bench, error, error64) else f"would be off by {worst}"
    words += f" Parts averaged by their samples {agree}."
    return Claim(trial.claim, IMPOSSIBLE, error, error64, words)


def _rounded(bench: _Bench, error: float, error64: float | None) -> str:
    name = str(bench.dtype).removeprefix("torch.")
    if error64 is None:
        return f"Equal to within the rounding of {name}; it could not be tried in float64."
    if error == 0:
        return "Equal to the bit."
    if bench.rounding64 is not None and error64 > bench.rounding64:
        return f"The rounding of {name}, in which the model or a loss works whatever it is given."
    if error > FLOORS[torch.float32][1]:
        return f"The gradient nearly cancels, and the rounding of {name} is as large as it; gone in float64."
    return "Nothing but rounding." if bench.dtype is torch.float64 else f"The rounding of {name}, gone in float64."


def _halved(bench: _Bench, error64: float | None) -> str:
    name = str(bench.dtype).removeprefix("torch.")
    digits = {torch.bfloat16: "8 binary digits", torch.float16: "11 binary digits"}[bench.dtype]
    proof = "" if error64 is None else f" In float64 the error is {figure(error64)}: the step itself is exact."
    return f"{name} keeps {digits}, and other sums round otherwise.{proof}"


def _accused(trial: Trial) -> str:
    if trial.parts:
        return (
            "More than rounding: the model or a loss couples the samples, or a term states a count that is not its own "
            "denominator. Return elements, state the true count, or say couples=True."
        )
    return "More than rounding: look at the loss, its count, and at what the model does across samples."


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + ("" if words.endswith(".") else ".")
