"""What a step needs to know of a model: how to call it, which tensors it trains, what it cannot do exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from truestep.core.batch import leaves, widen
from truestep.core.errors import ConfigError, DataError
from truestep.core.objective import Objective
from truestep.core.updates import Updates

Model = nn.Module | Callable[..., Any]
FULL = (torch.float32, torch.float64)


class Bound:
    """A module with other tensors in the place of its own."""

    def __init__(self, model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
        self.model, self.tensors = model, dict(tensors)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The outputs."""
        return torch.func.functional_call(self.model, self.tensors, args, kwargs)


def call(model: Model, inputs: Any) -> Any:
    """`model(inputs)`, with a tuple as positional and a dict as keyword arguments."""
    if isinstance(inputs, dict):
        return model(**inputs)
    if isinstance(inputs, tuple | list):
        return model(*inputs)
    return model(inputs)


def forward(model: Model, inputs: Any) -> Any:
    """The outputs of the model, half-precision ones as float32 so that losses are summed in full precision."""
    output = model(inputs) if isinstance(inputs, Tensor) else call(model, inputs)
    plain = isinstance(output, Tensor) and output.dtype in FULL  # without walking the tree
    return output if plain else widen(output)


def device_of(model: Model, data: Any) -> torch.device:
    """Where the model lives; for a plain function where the data are."""
    held = [*model.parameters(), *model.buffers()] if isinstance(model, nn.Module) else []
    found = held or [leaf for _, leaf in leaves(data) if isinstance(leaf, Tensor)]
    return found[0].device if found else torch.device("cpu")


def unwrap(model: Any) -> Model:
    """The model inside `DistributedDataParallel`, whose mean over ranks would divide a second time."""
    # Its class is an abstract one, which `isinstance` would ask in Python.
    return model.module if DistributedDataParallel in type(model).__mro__ else model


def modules_of(model: Model) -> list[nn.Module]:
    """`list(model.modules())`, and nothing for a plain function.

    Torch's own walk goes through a generator a level, which takes a call of `fit` as long as a small forward pass.
    """
    left: list[nn.Module | None] = [model] if isinstance(model, nn.Module) else []
    found: dict[nn.Module, None] = {}
    while left:
        module = left.pop()
        if module is not None and module not in found:
            found[module] = None
            left += reversed(module._modules.values())
    return list(found)


def _parameters(model: nn.Module, modules: Sequence[nn.Module]) -> list[Tensor]:
    """`list(model.parameters())`."""
    kind = type(model)
    if kind.parameters is not nn.Module.parameters or kind.named_parameters is not nn.Module.named_parameters:
        return list(model.parameters())  # it says itself which these are
    found: dict[int, Tensor] = {}
    for module in modules:
        for tensor in module._parameters.values():
            if tensor is not None:
                found[id(tensor)] = tensor
    return list(found.values())


def trained(model: Model, modules: Sequence[nn.Module], optimizer: Any, given: Iterable[Tensor] | None) -> list[Tensor]:
    """The tensors that training may move: the model's, else those that were given, else those the optimizer holds.

    Raises:
        ConfigError: where there are none, or where a torch optimizer holds others.
    """
    if given is not None:
        found = list(given)
    elif isinstance(model, nn.Module):
        found = _parameters(model, modules)
    else:
        found = _held(optimizer)
    if isinstance(model, type):
        raise ConfigError(f"the model must be a module, and {model.__name__} is a class: give {model.__name__}(...).")
    if not callable(model):
        raise ConfigError(f"the model must be callable, model(inputs), and {type(model).__name__} is not.")
    if not found:
        kind = type(model).__name__ if isinstance(model, nn.Module) else "a model that is a plain function"
        raise ConfigError(f"{kind} has no parameters to train: give params=[w, b], or a module that holds some.")
    alive = [tensor for tensor in found if tensor.requires_grad]
    if not all(map(attrgetter("is_leaf"), alive)):
        raise ConfigError("a parameter is the result of a computation: make it a leaf, w.detach().requires_grad_().")
    if not alive:
        raise ConfigError(
            "no parameter of the model requires a gradient: call requires_grad_() on those to be trained."
        )
    return alive


def check_held(model: Model, updates: Updates, parameters: Sequence[Tensor], objective: Objective) -> list[str]:
    """Refuse an optimizer that holds tensors the model does not have, and say which of the model's nobody moves."""
    if updates.whole:  # as nearly always
        return []
    held = updates.parameters
    trained, moved = set(map(id, parameters)), set(map(id, held))
    if trained == moved:
        return []
    own = trained | {id(tensor) for tensor in objective.parameters()}
    if isinstance(model, nn.Module):
        own |= {id(tensor) for tensor in model.parameters()}
    strangers = [tensor for tensor in held if id(tensor) not in own]
    if strangers:
        raise ConfigError(
            f"the optimizer holds {len(strangers)} of {len(held)} parameters that are not the model's, the first of "
            f"shape {tuple(strangers[0].shape)}: make the optimizer from "
            "this model's parameters, after moving or copying it."
        )
    names = names_of(model, parameters)
    left = [names[id(tensor)] for tensor in parameters if id(tensor) not in moved]
    if not left:
        return []
    more = f" and {len(left) - 3} more" if len(left) > 3 else ""
    return [f"no optimizer holds {', '.join(left[:3])}{more}: they require gradients and stay as they are."]


def names_of(model: Model, parameters: Sequence[Tensor]) -> dict[int, str]:
    """The name of each parameter by its id, or its position where the model does not name it."""
    names = {id(tensor): f"parameter {number}" for number, tensor in enumerate(parameters)}
    if isinstance(model, nn.Module):
        names |= {id(tensor): name for name, tensor in model.named_parameters()}
    return names


def check_device(batch: tuple[Any, Any], device: torch.device) -> None:
    """Refuse a batch that lies on another device than the model."""
    inputs, targets = batch
    plain = isinstance(inputs, Tensor) and isinstance(targets, Tensor)
    if plain and inputs.device == device and targets.device == device:  # without walking the trees
        return
    for side, tree in zip(("inputs", "targets"), batch, strict=True):
        for path, leaf in leaves(tree, side):
            if isinstance(leaf, Tensor) and leaf.device != device:
                raise DataError(
                    f"{path} is on {leaf.device} and the model is on {device}: move it with .to({str(device)!r})."
                )


def running_statistics(modules: Sequence[nn.Module]) -> list[Tensor]:
    """The running means and variances of normalisation layers, which a forward pass moves."""
    found: list[Tensor] = []
    for module in modules:
        if isinstance(module, _NormBase):
            found += module.buffers(recurse=False)
    return found


def caveats(model: Model, split: bool, several_ranks: bool) -> list[str]:
    """What no division can make exact, in words: layers whose outputs depend on which samples share a pass."""
    if not isinstance(model, nn.Module) or not (split or several_ranks):
        return []
    parts = "micro-batch" if split else "rank"
    coupled = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
        and (module.training or not module.track_running_stats)
        and not (isinstance(module, nn.SyncBatchNorm) and not split)
    ]
    if not coupled:
        return []
    named = ", ".join(coupled[:3]) + (f" and {len(coupled) - 3} more" if len(coupled) > 3 else "")
    return [
        f"batch normalisation ({named}) takes its mean and variance from each {parts}, so the step is exact for what "
        "these layers then compute, but not equal to that of the whole batch: LayerNorm, GroupNorm, frozen statistics "
        "or an unsplit batch make it so."
    ]


def _held(optimizer: Any) -> list[Tensor]:
    several = optimizer.values() if isinstance(optimizer, dict) else optimizer
    several = several if isinstance(several, list | tuple) or isinstance(optimizer, dict) else [optimizer]
    return [p for one in several if isinstance(one, Optimizer) for group in one.param_groups for p in group["params"]]
