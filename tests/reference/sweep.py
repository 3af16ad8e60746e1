"""One variant of a study as anybody would train it: its own loop in plain torch, batch by batch."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from truestep.data.batches import order


def own_loop(
    make: Callable[[], nn.Module],
    data: tuple[Tensor, Tensor],
    loss: Callable[[Any, Any], Tensor],
    optimizer: Callable[[nn.Module], torch.optim.Optimizer],
    seed: int,
    epochs: int,
    batch_size: int,
    clip_norm: float | None = None,
) -> tuple[nn.Module, float]:
    """The trained model, and its training loss in the last epoch as a mean over samples; `loss` is a mean over rows."""
    torch.manual_seed(seed)
    model = make()
    update = optimizer(model)
    inputs, targets = data
    last = 0.0
    for epoch in range(1, epochs + 1):
        positions, total = order(len(inputs), seed, epoch), 0.0
        for start in range(0, len(inputs), batch_size):
            chosen = positions[start : start + batch_size]
            update.zero_grad()
            value = loss(model(inputs[chosen]), targets[chosen])
            value.backward()
            if clip_norm is not None:
                nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
            update.step()
            total += float(value.detach()) * len(chosen)
        last = total / len(inputs)
    return model, last


def farthest(model: nn.Module, other: nn.Module) -> float:
    """The largest difference of any weight or buffer, relative to the largest of its tensor."""
    own: Mapping[str, Tensor] = other.state_dict()
    return max(
        float((each.double() - own[name].double()).abs().max() / own[name].double().abs().max().clamp(min=1e-12))
        for name, each in model.state_dict().items()
    )
