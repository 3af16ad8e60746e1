"""What makes two runs the same run: their settings as plain data, and the first of them that differs."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from truestep.core.batch import leaves
from truestep.core.objective import Objective
from truestep.core.updates import TorchUpdates
from truestep.data.batches import LoaderSource, TensorSource
from truestep.fit.state import buffers, modules, weights

if TYPE_CHECKING:
    from truestep.fit.loop import Loop

FREE = ("epochs", "patience")  # when a run ends is no part of what its steps compute
MOVED = ("lr", "momentum", "betas", "weight_decay")  # what schedules change while a run goes on
ROWS = 16
LAYER = "the layer "


def settings_of(loop: Loop) -> dict[str, Any]:
    """The settings that observers are told."""
    step, plan = loop.step, loop.plan
    return {
        "model": type(step.model).__name__,
        "objective": repr(step.objective),
        "optimizer": repr(step.updates),
        "micro_batch": step.micro_batch,
        "clip_norm": step.clip_norm,
        "amp": None if step.precision.dtype is None else str(step.precision.dtype),
        "ranks": step.ranks.size,
        **{name: getattr(plan, name) for name in plan.__slots__},
        **shape_of(loop),
    }


def shape_of(loop: Loop) -> dict[str, Any]:
    """Of these the epochs, and the steps of each, 0 where nobody knows: all that a person is shown."""
    plan = loop.plan
    per_epoch = (len(loop.batches) + (0 if plan.tail == "drop" else plan.accumulate - 1)) // plan.accumulate
    return {"epochs": plan.epochs, "steps_per_epoch": per_epoch}


def identity(loop: Loop) -> dict[str, Any]:
    """The settings that a resumed run must share with the run that it goes on with, as flat plain data."""
    step = loop.step
    found = {
        name: value for name, value in settings_of(loop).items() if name not in (*FREE, "optimizer", "steps_per_epoch")
    }
    found |= {"nonfinite": step.nonfinite, "metrics": ", ".join(step.metrics) or "none"}
    found |= {"schedule": ", ".join(type(one).__name__ for one in step.schedule.schedulers) or "none"}
    found |= {"schedule's moment": step.schedule.every if step.schedule.schedulers else ""}
    found |= _updates(step.updates, bool(step.schedule.schedulers))
    found |= {name: _form(tensor) for name, tensor in weights(loop).items()}
    found |= {f"{LAYER}{name}": words for name, module in modules(loop).items() if (words := _layer(module))}
    found |= of_losses(step.objective)
    # Only their number: a buffer may grow as it is used.
    found |= {"number of buffers": len(buffers(loop))}
    return found | _data(loop.batches)


def of_losses(objective: Objective) -> dict[str, Any]:
    """What tells the losses of torch of two objectives apart, also where one is a function: options, and weights."""
    found: dict[str, Any] = {}
    for name, term in objective.terms.items():
        if term.stock is not None:
            found[f"{LAYER}loss.{name}"] = _layer(term.stock.module)
            held = [tensor for tensor in term.stock.module._buffers.values() if tensor is not None]
            if held:
                found[f"the checksum of the class weights of {name}"] = _mark(held)
        elif term.reduction is not None:
            found[f"the reduction of {name}"] = term.reduction
    return found


def difference(saved: Mapping[str, Any], now: Mapping[str, Any], same_torch: bool = True) -> str:
    """What differs in words, such as "batch_size was 32 and is 64", or ""; another torch may spell its layers anew."""
    for name in (name for name in [*now, *saved] if same_torch or not name.startswith(LAYER)):
        if name not in saved:
            return f"{name} is new"
        if name not in now:
            return f"{name} is missing"
        if saved[name] != now[name]:
            return f"{name} was {saved[name]} and is {now[name]}"
    return ""


def _updates(updates: Any, scheduled: bool) -> dict[str, Any]:
    if not isinstance(updates, TorchUpdates):
        return {"optimizer": repr(updates)}
    found: dict[str, Any] = {"optimizer": ", ".join(type(one).__name__ for one in updates.optimizers)}
    for number, optimizer in enumerate(updates.optimizers):
        for place, group in enumerate(optimizer.param_groups):
            where = "" if len(optimizer.param_groups) == 1 else f" of group {place}"
            where += "" if len(updates.optimizers) == 1 else f" of optimizer {number}"
            found |= {f"{name}{where}": value for name, value in _settings(optimizer, group, scheduled).items()}
    return found


def _settings(optimizer: Optimizer, group: Mapping[str, Any], scheduled: bool) -> dict[str, Any]:
    """The numbers of a group; those that a schedule moves are left out, since it may have moved them already."""
    found = {}
    for name in optimizer.defaults:
        value = group.get(name)
        if isinstance(value, Tensor) and value.dim() == 0:
            value = value.item()
        if scheduled and name in MOVED:
            continue
        if isinstance(value, bool | int | float | str):
            found[name] = value
        elif isinstance(value, tuple | list):
            found[name] = str([float(one) if isinstance(one, Tensor) else one for one in value])
    if scheduled and "initial_lr" in group:
        found["initial_lr"] = float(group["initial_lr"])
    return found


def _layer(module: nn.Module) -> str:
    """The settings of a layer or loss of torch, such as "Dropout(p=0.2, inplace=False)"."""
    if not type(module).__module__.startswith("torch.") or isinstance(module, nn.Sequential | nn.ModuleList):
        return ""
    plain = {name: value for name, value in vars(module).items() if isinstance(value, bool | int | float | str)}
    own = ", ".join(f"{name}={value}" for name, value in plain.items() if name[0] != "_" and name != "training")
    return f"{type(module).__name__}({module.extra_repr() or own})"


def _data(source: Any) -> dict[str, Any]:
    if isinstance(source, TensorSource):
        held = [(path, leaf) for side in source.data for path, leaf in leaves(side) if isinstance(leaf, Tensor)]
        forms = ", ".join(f"{_form(leaf)}{path}" for path, leaf in held)
        return {"the data": forms, "the first and last samples' checksum": _mark([leaf for _, leaf in held])}
    if isinstance(source, LoaderSource):
        return {"the data": f"a loader of {type(source.loader.dataset).__name__} with {len(source)} batches"}
    return {"the data": f"{type(source.data).__name__} of {source.samples} samples"}


def _mark(held: list[Tensor]) -> int:
    found = 0
    for leaf in held:
        for part in (leaf[:ROWS], leaf[-ROWS:]) if leaf.dim() else (leaf,):
            plain = part.detach().to("cpu", copy=True).contiguous().reshape(-1)
            found = zlib.crc32(plain.view(torch.uint8).numpy().tobytes(), found)
    return found


def _form(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
