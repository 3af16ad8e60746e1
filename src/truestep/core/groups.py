"""Parameter groups: what is decayed, and what is left alone."""

from __future__ import annotations

from numbers import Real
from typing import Any

from torch import nn

from truestep.core.errors import ConfigError

NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


def decay_groups(model: nn.Module, weight_decay: float, **options: Any) -> list[dict[str, Any]]:
    """Two parameter groups for any `torch.optim` optimizer: weights that decay, biases and normalisation that do not.

    A parameter is left alone when it belongs to a normalisation layer, is called a bias, or has fewer than two
    dimensions. Shared parameters are listed once; frozen ones are left out.

    Args:
        model: the module whose parameters are to be grouped.
        weight_decay: strength of the decay, per step and unit of learning rate, of the first group.
        **options: further options of both groups, such as `lr`.

    Raises:
        ConfigError: for a strength that is no number of at least 0, and for a model that is no module or has no
            parameters to train.

    Convention: Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019; the practice of GPT-2.

    >>> [len(group["params"]) for group in decay_groups(nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2)), 0.1)]
    [1, 3]
    """
    if not isinstance(model, nn.Module):
        raise ConfigError(f"decay_groups groups the parameters of a module, and {type(model).__name__} is none.")
    if not (isinstance(weight_decay, Real) and weight_decay >= 0):
        raise ConfigError(f"weight_decay is a strength of at least 0, and not {weight_decay!r}.")
    decayed, alone, seen = [], [], set[int]()
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if id(parameter) in seen or not parameter.requires_grad:
                continue
            seen.add(id(parameter))
            spared = isinstance(module, NORMS) or parameter.dim() < 2 or name.endswith("bias")
            (alone if spared else decayed).append(parameter)
    if not seen:
        raise ConfigError(f"{type(model).__name__} has no parameters to train, so there is nothing to group.")
    groups = [(decayed, float(weight_decay)), (alone, 0.0)]
    return [{"params": params, "weight_decay": strength, **options} for params, strength in groups if params]
