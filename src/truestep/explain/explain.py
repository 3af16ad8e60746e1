"""`explain`: what moved each weight in one step. What does it is loaded at the first call, not by every program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from truestep.core.step import TrainStep
    from truestep.explain.ledger import Ledger
    from truestep.explain.trail import Trail


def explain(step: TrainStep, inputs: Any, targets: Any, history: Trail | None = None) -> Ledger:
    """Take one step on a batch, account for every change by cause, and leave everything as it was.

    For each parameter `change = sum of entries` to the last bit, in float64: each loss term by its name, "decay",
    "momentum" (carried from earlier steps), "clipping", and "rounding", the few ulp that the parameter's own precision
    took. For adaptive rules all entries share the denominator of the step. An optimizer that is not known, or an
    updater written by hand, gets the part of the change along the gradient by term, and the rest as its own rule.

    Args:
        step: the step to explain; its model, optimizer, schedule and the random state end as they were.
        inputs: as the step takes them.
        targets: as the step takes them.
        history: the momentum of the steps before, which the ledger then tells by how many steps back it comes.

    Raises:
        ConfigError: for a loss term called as another cause; and whatever the step itself raises.

    >>> import torch
    >>> from torch import nn
    >>> from truestep.core.step import TrainStep
    >>> model = nn.Linear(2, 1)
    >>> step = TrainStep(model, nn.MSELoss(), torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.01))
    >>> account = explain(step, torch.ones(3, 2), torch.zeros(3, 1))["weight"]
    >>> sum(account.entries.values()).equal(account.change)
    True
    """
    from truestep.explain.record import ledger_of

    return ledger_of(step, inputs, targets, history)
