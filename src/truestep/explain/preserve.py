"""Run a step and leave no trace: weights, buffers, optimizer, schedule, scaler and random state end as they were."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from truestep.core.errors import ConfigError
from truestep.core.step import TrainStep
from truestep.core.updates import TorchUpdates


def check_step(*given: object) -> None:
    """Refuse what is no step, such as a model.

    Raises:
        ConfigError: naming what was given instead.
    """
    for one in given:
        if not isinstance(one, TrainStep):
            raise ConfigError(
                f"a step is a ts.TrainStep(model, objective, optimizer), and {type(one).__name__} is none: make one."
            )


@contextmanager
def preserved(step: TrainStep) -> Iterator[None]:
    """Whatever happens inside is undone, to the bit, also where it fails.

    The step runs on its own tensors, not on copies, since a hand-written updater knows no others. Random state of the
    processor and of the model's device is put back; what a hand-written updater keeps for itself cannot be.
    """
    state = _state(step)
    try:
        yield
    finally:
        _put_back(step, state)


@contextmanager
def same_draws(device: torch.device) -> Iterator[None]:
    """Whatever is drawn inside can be drawn again: the random state ends as it was."""
    states = random_state(device)
    try:
        yield
    finally:
        _set_random_state(device, states)


def _state(step: TrainStep) -> dict[str, Any]:
    tensors = _tensors(step)
    optimizers = step.updates.optimizers if isinstance(step.updates, TorchUpdates) else []
    return {
        "tensors": [(tensor, tensor.detach().clone(), _copied(tensor.grad)) for tensor in tensors],
        "optimizers": [(one, {p: copy.deepcopy(s) for p, s in one.state.items()}, _groups(one)) for one in optimizers],
        "schedule": [(one, copy.deepcopy(one.state_dict())) for one in step.schedule.schedulers],
        "scaler": None if step.precision.scaler is None else step.precision.scaler.state_dict(),
        "random": random_state(step.device),
        "taken": step.taken,
        "modes": [(m, m.training) for m in step.model.modules()] if isinstance(step.model, nn.Module) else [],
    }


def _put_back(step: TrainStep, state: dict[str, Any]) -> None:
    with torch.no_grad():
        for tensor, values, gradient in state["tensors"]:
            tensor.copy_(values)
            tensor.grad = gradient
    for optimizer, own, groups in state["optimizers"]:
        optimizer.state.clear()
        optimizer.state.update(own)
        for group, values in zip(optimizer.param_groups, groups, strict=True):
            _put_back_group(group, values)
    for scheduler, values in state["schedule"]:
        scheduler.load_state_dict(values)
    if step.precision.scaler is not None:
        step.precision.scaler.load_state_dict(state["scaler"])
    for module, training in state["modes"]:
        module.training = training
    _set_random_state(step.device, state["random"])
    step.taken = state["taken"]


def _tensors(step: TrainStep) -> list[Tensor]:
    held: list[Tensor] = list(step.updates.parameters)
    if isinstance(step.model, nn.Module):
        held += [*step.model.parameters(), *step.model.buffers()]
    return list({id(tensor): tensor for tensor in held}.values())


def _copied(gradient: Tensor | None) -> Tensor | None:
    return None if gradient is None else gradient.detach().clone()


def _groups(optimizer: torch.optim.Optimizer) -> Sequence[dict[str, Any]]:
    own = [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]
    return [{name: v.clone() if isinstance(v, Tensor) else v for name, v in group.items()} for group in own]


def _put_back_group(group: dict[str, Any], values: dict[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(group.get(name), Tensor):
            group[name].copy_(value)  # a schedule may hold the same tensor
        else:
            group[name] = value


def random_state(device: torch.device) -> list[Tensor]:
    """Where torch's random generators stand: the processor's, and the device's own where it has one."""
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return states


def _set_random_state(device: torch.device, states: Sequence[Tensor]) -> None:
    torch.set_rng_state(states[0])
    if len(states) > 1:
        torch.cuda.set_rng_state(states[1], device)
