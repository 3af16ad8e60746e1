"""All that a step reads or writes, taken out of a run and put back: what a checkpoint holds."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.optim import Optimizer

from truestep.core.errors import ConfigError, DataError
from truestep.core.updates import HandWritten, TorchUpdates
from truestep.fit import chance
from truestep.fit.evaluate import Sums
from truestep.fit.history import History, Record
from truestep.fit.trained import Trained
from truestep.fit.trees import Packed, unpack

if TYPE_CHECKING:
    from truestep.fit.loop import Loop


@dataclass(slots=True)
class Snapshot:
    """The state of a run at one moment, in copies that nobody else changes; `left` is what could not be taken."""

    step: int
    tensors: dict[str, Tensor]
    plain: dict[str, Any]
    left: dict[str, str] = field(default_factory=dict)


def capture(loop: Loop, settings: Mapping[str, Any], began: Any) -> Snapshot:
    """The state of the run between two steps; `began` is what `chances` gave when the epoch began.

    Every rank must call it, since each has random states of its own; only rank 0 gets those of all.
    """
    packed = Packed()
    ours = {"chance": chances(loop), "began": began, **_of_this_rank(loop)}
    shared = {"settings": dict(settings), "versions": versions(), **_shared(loop)}
    # The weights of the best epoch are a copy already, which nobody changes.
    still = {id(tensor) for tensor in [*loop.run_state.kept.weights.values(), *loop.run_state.kept.of_losses.values()]}
    plain = {name: packed.add(tree, name) for name, tree in shared.items()}
    plain["ranks"] = packed.add(_gathered(ours, loop.step.ranks.size), "ranks")
    copies = {
        name: tensor if id(tensor) in still else tensor.detach().clone() for name, tensor in packed.tensors.items()
    }
    return Snapshot(loop.run_state.steps, copies, plain, packed.left)


def chances(loop: Loop) -> dict[str, Any]:
    """The random states of this process, its devices and the generators of its data."""
    held = chance.generators(_data(loop))
    return {"process": chance.states(devices(loop)), "data": chance.states_of(held)}


def put_back_chances(loop: Loop, found: Any) -> None:
    """Set all of them to what `chances` found."""
    chance.put_back(found["process"], devices(loop))
    chance.put_back_of(chance.generators(_data(loop)), found["data"])


def devices(loop: Loop) -> list[torch.device]:
    """The devices, the processor left out, that the model draws random numbers on."""
    found = [loop.step.device, *(tensor.device for tensor in weights(loop).values())]
    return list(dict.fromkeys(device for device in found if device.type not in ("cpu", "meta")))


def versions() -> dict[str, str]:
    """What wrote a checkpoint."""
    return {"torch": str(torch.__version__)}


@torch.no_grad()
def restore(loop: Loop, tensors: Mapping[str, Tensor], plain: Mapping[str, Any]) -> Any:
    """Put the state into the run, in place; returns the random states of this rank, at the epoch's start and now.

    Raises:
        ConfigError: where a weight does not fit. DataError: for what this library did not write.
    """
    step, device = loop.step, loop.step.device

    def tree(name: str, own: Any = None) -> Any:
        if name not in plain:
            raise DataError(f"the checkpoint has no {name}: it was not written by ts.fit.")
        return unpack(plain[name], tensors, device, own)

    _restore_weights(weights(loop), tree("weights"))
    for name, value in tree("extra").items():
        if value is not None:
            modules(loop)[name].set_extra_state(value)
    ours = tree("ranks")[step.ranks.rank]
    _restore_buffers(loop, ours["buffers"])
    _restore_updates(step.updates, tree("updates", _updates(step.updates)))
    for scheduler, state in zip(step.schedule.schedulers, tree("schedulers", schedulers(loop)), strict=True):
        scheduler.load_state_dict(state)
    if step.precision.scaler is not None:
        step.precision.scaler.load_state_dict(tree("scaler"))
    _restore_run(loop, tree("run"), tree("best"))
    _restore_position(loop, tree("position"), tree("found"), ours)
    return ours["began"], ours["chance"]


def weights(loop: Loop) -> dict[str, Tensor]:
    """Every parameter by name: the model's, those of losses, and others that are trained."""
    found: dict[str, Tensor] = {}
    for prefix, module in _roots(loop):
        found |= {f"{prefix}.{name}": parameter for name, parameter in module.named_parameters()}
    known = {id(tensor) for tensor in found.values()}
    others = [tensor for tensor in loop.step.updates.parameters if id(tensor) not in known]
    return found | {f"parameter.{number}": tensor for number, tensor in enumerate(others)}


def buffers(loop: Loop) -> dict[str, Tensor]:
    """Every buffer by name, those included that a `state_dict` leaves out."""
    return {
        f"{path}.{name}": buffer
        for path, module in modules(loop).items()
        for name, buffer in module._buffers.items()
        if buffer is not None
    }


def _roots(loop: Loop) -> Iterator[tuple[str, nn.Module]]:
    if isinstance(loop.step.model, nn.Module):
        yield "model", loop.step.model
    for name, term in loop.step.objective.terms.items():
        if isinstance(term.loss, nn.Module):
            yield f"loss.{name}", term.loss


def modules(loop: Loop) -> dict[str, nn.Module]:
    """Every module by name, those of the model and those that are losses."""
    return {
        f"{prefix}.{name}" if name else prefix: module
        for prefix, root in _roots(loop)
        for name, module in root.named_modules()
    }


def _data(loop: Loop) -> Any:
    return getattr(loop.batches, "loader", getattr(loop.batches, "data", None))


def _shared(loop: Loop) -> dict[str, Any]:
    """What is the same on every rank."""
    step, run, at = loop.step, loop.run_state, loop.at
    return {
        "weights": weights(loop),
        "extra": {name: _extra(module) for name, module in modules(loop).items()},
        "updates": _updates(step.updates),
        "schedulers": schedulers(loop),
        "scaler": None if step.precision.scaler is None else step.precision.scaler.state_dict(),
        "position": {"epoch": at.epoch, "batch": at.batch, "waited": at.waited, "taken": step.taken,
                     "seconds": time.perf_counter() - at.began},
        "found": {one.name: getattr(at.found, one.name) for one in fields(Trained) if one.name != "metrics"}
        | {"terms": _figures(at.found.terms)},
        "run": {"history": [dict(record) for record in run.history], "stopped": run.stopped, "notes": list(run.notes),
                "steps": run.steps, "said": sorted(loop.said), "sums_said": loop.sums_said,
                "folder": None if run.folder is None else run.folder.name},
        "best": {"record": None if run.kept.record is None else dict(run.kept.record), "weights": run.kept.weights,
                 "of_losses": run.kept.of_losses},
    }  # fmt: skip


def _of_this_rank(loop: Loop) -> dict[str, Any]:
    """What differs from rank to rank: running statistics, the batches of an unfinished window, sums of metrics."""
    return {"buffers": buffers(loop), "window": list(loop.window), "metrics": _numbers(loop.at.found.metrics)}


def _figures(sums: Sums) -> dict[str, Any]:
    return {one.name: getattr(sums, one.name) for one in fields(Sums)}


def _numbers(sums: Sums) -> dict[str, Any]:
    """The same as plain numbers: a metric that is NaN does not make a state unsound."""
    found = _figures(sums)
    return found | {
        name: {key: value.item() if isinstance(value, Tensor) else value for key, value in found[name].items()}
        for name in ("totals", "counts")
    }


def _gathered(ours: Any, ranks: int) -> list[Any]:
    if ranks == 1:
        return [ours]
    found: list[Any] = [None] * ranks
    dist.all_gather_object(found, ours)
    return found


def _extra(module: nn.Module) -> Any:
    return None if type(module).get_extra_state is nn.Module.get_extra_state else module.get_extra_state()


def _updates(updates: Any) -> Any:
    if isinstance(updates, TorchUpdates):
        return [optimizer.state_dict() for optimizer in updates.optimizers]
    own = getattr(updates.updater, "state_dict", None)
    return own() if callable(own) else None


def schedulers(loop: Loop) -> list[Any]:
    """The state of each scheduler."""
    return [scheduler.state_dict() for scheduler in loop.step.schedule.schedulers]


def _restore_weights(own: Mapping[str, Tensor], saved: Mapping[str, Tensor]) -> None:
    for name in [*saved, *own]:
        if name not in own or name not in saved or own[name].shape != saved[name].shape:
            raise ConfigError(
                f"the weight {name} of the checkpoint does not fit this model: give the model of that run."
            )
    for name, tensor in own.items():
        tensor.detach().copy_(saved[name])


def _restore_buffers(loop: Loop, saved: Mapping[str, Tensor]) -> None:
    own, holders = buffers(loop), modules(loop)
    for name, value in saved.items():
        mine, (path, _, last) = own.get(name), name.rpartition(".")
        if path not in holders or last not in holders[path]._buffers:
            raise ConfigError(
                f"the model has no buffer {name}, which the checkpoint holds: give the model of that run."
            )
        if mine is None or mine.shape != value.shape or mine.dtype != value.dtype:
            holders[path]._buffers[last] = value.to(loop.step.device)  # one that grows as it is used
        elif not torch.equal(mine, value.to(mine.device)):  # an expanded one cannot be written to, and need not be
            mine.copy_(value)


def _restore_updates(updates: Any, saved: Any) -> None:
    if isinstance(updates, HandWritten):
        if saved is not None:
            updates.updater.load_state_dict(saved)  # pyright: ignore[reportFunctionMemberAccess]
        return
    for optimizer, state in zip(updates.optimizers, saved, strict=True):
        optimizer.load_state_dict(state)
        _as_saved(optimizer, state["state"])


def _as_saved(optimizer: Optimizer, saved: Mapping[Any, Any]) -> None:
    """Torch casts each state to the type of its parameter and lays it out plainly: take both as they were."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for number, parameter in enumerate(parameters):
        for key, value in saved.get(number, {}).items():
            loaded = optimizer.state[parameter].get(key)
            if not isinstance(value, Tensor) or not isinstance(loaded, Tensor):
                continue
            if value.shape == parameter.shape and not parameter.is_contiguous():
                laid = torch.empty_like(parameter, dtype=value.dtype, device=loaded.device, requires_grad=False)
                optimizer.state[parameter][key] = laid.copy_(value)
            elif value.dtype != loaded.dtype:
                optimizer.state[parameter][key] = value.to(loaded.device)


def _restore_run(loop: Loop, saved: Mapping[str, Any], best: Mapping[str, Any]) -> None:
    run = loop.run_state
    run.history = History([Record(one) for one in saved["history"]])
    run.stopped, run.steps = saved["stopped"], saved["steps"]
    run.notes[:] = [*saved["notes"], *(note for note in run.notes if note not in saved["notes"])]
    loop.said |= set(saved["said"])
    loop.sums_said = saved["sums_said"]
    run.kept.record = None if best["record"] is None else Record(best["record"])
    run.kept.weights, run.kept.of_losses = best["weights"], best["of_losses"]


def _restore_position(loop: Loop, saved: Mapping[str, Any], found: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    at = loop.at
    at.epoch, at.batch, at.waited = saved["epoch"], saved["batch"], saved["waited"]
    at.began = time.perf_counter() - saved["seconds"]
    at.found = Trained(**{**found, "terms": Sums(**found["terms"]), "metrics": Sums(**ours["metrics"])})
    loop.step.taken = saved["taken"]
    loop.window = list(ours["window"])
