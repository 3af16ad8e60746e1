"""What most steps are: a whole batch on one rank, one loss of torch, optimizers of torch, full precision."""

from __future__ import annotations

import math
from typing import Any

import torch

from truestep.core.bare import backward
from truestep.core.batch import rows
from truestep.core.finite import exact_norm, gradient_norms, read
from truestep.core.gradients import Pass, observed, refuse_detached
from truestep.core.loss import share_of, value
from truestep.core.model import forward
from truestep.core.outcome import StepOut


def formed(over: Pass, inputs: Any, targets: Any, device: torch.device) -> StepOut:
    """Leave the gradient of such a step in `.grad`, and return its figures: `Pass.run`, told for this case alone.

    Beside the arithmetic of a small network each object and each call costs as much as an operation, so here are none
    that it can do without.
    """
    updates, objective = over.updates, over.objective
    updates.clear()
    ((name, term),) = objective.terms.items()
    output = forward(over.model, inputs)
    total, size = term.measure(output, targets)
    if not total.requires_grad:
        refuse_detached([name])
    summed = name in objective.sums
    count = 1.0 if summed else size
    backward([total], [over.seed(share_of(objective.weights[name], count), total)])
    metrics = observed(over.metrics, output, targets) if over.metrics else {}
    moved = updates.parameters
    row = read([total.detach(), count, size if summed else 0, *gradient_norms(moved)], device)
    reach = math.hypot(*row[3:])
    if not math.isfinite(reach):
        reach = exact_norm(moved)
    totals, counts, sizes = {name: row[0]}, {name: row[1]}, {name: row[2]}
    samples = rows(inputs) or rows(targets)
    return StepOut(totals, counts, sizes, objective.weights, metrics, samples, value(reach, 1.0), updates.lr, {})
