"""Does a run that is continued from copies of its state go on bit for bit?"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from truestep.core.batch import Batch, leaves
from truestep.core.errors import NonFiniteError
from truestep.core.step import TrainStep
from truestep.core.updates import TorchUpdates
from truestep.explain.claims import EXACT, IMPOSSIBLE, Claim, figure
from truestep.explain.handmade import undone
from truestep.explain.measure import relative

CLAIM = "a run continued from a copy of its state goes on bit for bit"
STEPS = 2


def resume(step: TrainStep, batch: Batch) -> Claim:
    """One step, copies of all state dicts, two more steps; then everything is spoilt, loaded again, and taken again."""
    try:
        with undone(step), _same_objects(step):
            step(*batch)
            saved = _saved(step)
            _go_on(step, batch)
            expected, weights = _saved(step), _weights(step)
            _spoil(step)
            _load(step, saved)
            _go_on(step, batch)
            found, again = _saved(step), _weights(step)
    except NonFiniteError as error:
        return Claim(CLAIM, IMPOSSIBLE, float("nan"), None, f"The run cannot go on at all: {error}")
    unlike = [path for path, same in _compared(found, expected) if not same]
    if not unlike:
        held = "weights, optimizer state and random state" if _torch(step) else "weights and random state"
        return Claim(CLAIM, EXACT, 0.0, None, f"After {STEPS} more steps {held} are equal to the bit.")
    error = relative(again, weights)
    verdict = f"off by {figure(error)}" if error else "off by a state that the weights do not show yet"
    kept = "the model" if _torch(step) else "the model or the updater"
    words = (
        f"{len(unlike)} tensors differ, the first in {unlike[0]}: {kept} keeps something that no state_dict holds; "
        "register it as a buffer, or store it with the run."
    )
    return Claim(CLAIM, verdict, error, None, words)


def _torch(step: TrainStep) -> list[torch.optim.Optimizer]:
    return step.updates.optimizers if isinstance(step.updates, TorchUpdates) else []


def _saved(step: TrainStep) -> dict[str, Any]:
    """What a checkpoint holds."""
    scaler = step.precision.scaler
    state = {
        "weights": _weights(step),
        "model": step.model.state_dict() if isinstance(step.model, nn.Module) else {},
        "optimizer": [one.state_dict() for one in _torch(step)],
        "schedule": [one.state_dict() for one in step.schedule.schedulers],
        "scaler": {} if scaler is None else scaler.state_dict(),
        "random": [torch.get_rng_state()],
    }
    if step.device.type == "cuda":
        state["random"].append(torch.cuda.get_rng_state(step.device))
    return copy.deepcopy(state)


def _weights(step: TrainStep) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in step.updates.parameters]


def _go_on(step: TrainStep, batch: Batch) -> None:
    for _ in range(STEPS):
        step(*batch)


def _spoil(step: TrainStep) -> None:
    """Nothing of the run is left but what was saved: as in a new process."""
    with torch.no_grad():
        for parameter in step.updates.parameters:
            parameter.fill_(1.0)
    for optimizer in _torch(step):
        optimizer.state.clear()
    torch.rand(3, device=step.device)


def _load(step: TrainStep, saved: dict[str, Any]) -> None:
    saved = copy.deepcopy(saved)
    with torch.no_grad():
        for parameter, values in zip(step.updates.parameters, saved["weights"], strict=True):
            parameter.copy_(values)
    if isinstance(step.model, nn.Module):
        step.model.load_state_dict(saved["model"])
    for optimizer, state in zip(_torch(step), saved["optimizer"], strict=True):
        optimizer.load_state_dict(state)
    for scheduler, state in zip(step.schedule.schedulers, saved["schedule"], strict=True):
        scheduler.load_state_dict(state)
    if step.precision.scaler is not None:
        step.precision.scaler.load_state_dict(saved["scaler"])
    torch.set_rng_state(saved["random"][0])
    if len(saved["random"]) > 1:
        torch.cuda.set_rng_state(saved["random"][1], step.device)


@contextmanager
def _same_objects(step: TrainStep) -> Iterator[None]:
    """An optimizer that loads gets new dictionaries; a user may hold the old ones, so these come back."""
    held = [(one, one.param_groups, one.state) for one in _torch(step)]
    try:
        yield
    finally:
        for optimizer, groups, state in held:
            optimizer.param_groups, optimizer.state = groups, state


def _compared(found: Any, expected: Any) -> Iterator[tuple[str, bool]]:
    for (path, a), (_, b) in zip(leaves(found), leaves(expected), strict=True):
        yield path, torch.equal(a, b) if isinstance(a, Tensor) else bool(a == b)
