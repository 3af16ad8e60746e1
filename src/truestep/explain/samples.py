"""What each sample of a batch adds to the objective, and how hard it pulls at the weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn

from truestep.core.batch import size
from truestep.core.errors import ConfigError, DataError, TruestepError
from truestep.core.kinds import with_reduction
from truestep.core.loss import shares
from truestep.core.model import Model, device_of, forward, names_of
from truestep.core.objective import Objective, Term
from truestep.core.precision import Precision
from truestep.explain.alone import REFUSED, Case, by_sample
from truestep.explain.norms import Norms, noted, sample_norms
from truestep.explain.preserve import random_state, same_draws


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Losses, outputs and gradient norms by sample, on the processor, in the order of the batch.

    `losses` (N,), float64: what each sample adds to the objective, `sum_k weight_k * total_k(sample) / count_k`, so
    that they add up to the objective of the batch; `terms` the same of each term; `norms` (N,), float64: the 2-norm of
    the gradient of that contribution over all trained parameters, NaN where it does not exist; `outputs` what the model
    said, where that is one tensor; `order` the samples, hardest first; `method` how the norms were found: "batched"
    (one pass, by formula), "vmap", "loop" or "none"; `notes` what was left out or approximated, in sentences.
    """

    losses: Tensor
    terms: Mapping[str, Tensor]
    norms: Tensor
    outputs: Tensor | None
    order: Tensor
    method: str
    notes: tuple[str, ...] = ()

    def hardest(self, k: int) -> list[tuple[int, float, float]]:
        """(index, loss, gradient norm) of the `k` samples with the largest losses, largest first."""
        chosen = self.order[: max(k, 0)]
        return list(zip(chosen.tolist(), self.losses[chosen].tolist(), self.norms[chosen].tolist(), strict=True))


def sample_records(
    model: Model,
    objective: Objective,
    inputs: Any,
    targets: Any,
    parameters: Sequence[Tensor],
    counts: Mapping[str, float],
    precision: Precision | None = None,
) -> Samples:
    """What each sample of a batch adds to the objective, and the norm of the gradient of that.

    `losses_i = sum_k weight_k * total_k(i) / count_k` and `norms_i = |d losses_i / d parameters|`. The model stays in
    the mode it is in; its buffers, all gradients and torch's random state end as they were. Random layers draw once,
    for the batch, as a step does from the same random state; only norms that must be found by passes over single
    samples see other draws, and `notes` then say so.

    Args:
        model: a module or a plain function.
        objective: the terms with their weights.
        inputs: tensors whose first dimension is the batch, N samples.
        targets: the same.
        parameters: the tensors that the step trains; those that are frozen are left out.
        counts: the denominator of each term over the whole batch of the step, as `StepOut.counts` tells it.
        precision: autocast of the forward pass, as the step has it.

    Raises:
        ConfigError: for a term without a count.
        DataError: for a batch without samples.
        ShapeError: where tensors of the batch disagree on their number of samples.
    """
    samples = size(inputs, targets)
    if not samples:
        raise DataError("a batch without samples has nothing to show: give at least one sample.")
    missing = [name for name in objective.terms if name not in counts]
    if missing:
        raise ConfigError(f"counts lacks the term {missing[0]}: give the counts of the step, out.counts.")
    device = device_of(model, (inputs, targets))
    run = _forward(precision or Precision(None, device))
    names = names_of(model, parameters)
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    with torch.enable_grad(), same_draws(device), _same_buffers(model):
        before = random_state(device)
        with noted(model, {id(p): names[id(p)] for p in trained}, samples) as calls:
            output = run(model, inputs)
        drew = not all(map(torch.equal, before, random_state(device)))
        rows, notes = _rows(objective, output, targets, samples)
        worth = {name: float(shares(objective.weights, counts, None).of[name]) for name in rows}
        terms = {name: worth[name] * row.detach().cpu().double() for name, row in rows.items()}
        if rows:
            case = Case(model, _value(objective, worth, run), (inputs, targets), trained)
            norms = sample_norms(calls, sum_of([worth[name] * row for name, row in rows.items()]), case, drew)
        else:
            norms = Norms(torch.full((samples,), float("nan"), dtype=torch.float64), "none")
    if precision is not None and precision.dtype is torch.float16:
        notes.append("In float16 gradients below 6e-8 vanish, since nothing scales them here: norms may be too small.")
    losses = sum_of(list(terms.values())) if terms else norms.values
    order = torch.argsort(losses, descending=True, stable=True)
    shown = output.detach().cpu() if isinstance(output, Tensor) else None
    return Samples(losses, terms, norms.values, shown, order, norms.method, (*notes, *norms.notes))


Run = Callable[[Model, Any], Any]


def _forward(precision: Precision) -> Run:
    def run(model: Model, inputs: Any) -> Any:
        with precision.autocast():
            return forward(model, inputs)

    return run


def _value(objective: Objective, worth: Mapping[str, float], run: Run) -> Callable[[Model, Any, Any], Tensor]:
    """The contribution of a batch of one, by a forward pass of its own."""

    def value(model: Model, inputs: Any, targets: Any) -> Tensor:
        output = run(model, inputs)
        return sum_of([worth[name] * objective.terms[name](output, targets).total for name in worth])

    return value


def _rows(objective: Objective, output: Any, target: Any, samples: int) -> tuple[dict[str, Tensor], list[str]]:
    """The (N,) totals of each sample by term, for the terms that are the sum of what they say of each sample alone."""
    rows, notes = {}, []
    for name, term in objective.terms.items():
        found = _row(term, output, target, samples)
        if isinstance(found, str):
            notes.append(f"The term {name} is left out of the samples: {found}")
        else:
            rows[name] = found
    return rows, notes


def _row(term: Term, output: Any, target: Any, samples: int) -> Tensor | str:
    whole = term(output, target)
    if whole.alone and samples > 1:
        return whole.alone
    row = _elements(term, output, target, samples)
    if row is not None and _adds_up(row, whole.total):
        return row
    try:
        size(output, target)
        row = by_sample(lambda one, its: term(one, its).total, output, target)
    except (TruestepError, *REFUSED) as error:
        return f"it cannot be taken sample by sample: {str(error).splitlines()[0]}"
    if not _adds_up(row, whole.total):
        return "what it says of each sample alone does not add up to what it says of the batch, so it couples samples."
    return row


def _elements(term: Term, output: Any, target: Any, samples: int) -> Tensor | None:
    """(N,) sums of the elements that a loss of torch itself gives to each row: the quick way for the common case."""
    if term.stock is None or term.of is not None:
        return None
    elements = with_reduction(term.stock.module, "none")(*term.stock.arguments(output, target))
    if elements.shape[:1] != (samples,):
        return None
    return elements.flatten(1).sum(1) if elements.dim() > 1 else elements


def _adds_up(row: Tensor, total: Tensor) -> bool:
    """Whether the totals of the samples are those of the batch, as far as rounding lets one tell."""
    each, whole = row.detach().cpu().double(), total.detach().cpu().double()
    tolerance = torch.finfo(row.dtype).eps ** 0.5 * each.abs().sum()
    return bool(((each.sum() - whole).abs() <= tolerance) | ~torch.isfinite(whole))


def sum_of(figures: Sequence[Tensor]) -> Tensor:
    """The sum of tensors of one shape."""
    return reduce(torch.add, figures)


@contextmanager
def _same_buffers(model: Model) -> Iterator[None]:
    """Buffers that move inside, such as running statistics, end as they were."""
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    held = [(module, *pair) for module in modules for pair in module.named_buffers(recurse=False)]
    before = [buffer.clone() for _, _, buffer in held]
    try:
        yield
    finally:
        with torch.no_grad():
            for (module, name, buffer), values in zip(held, before, strict=True):
                setattr(module, name, buffer)
                if not torch.equal(buffer, values):
                    buffer.copy_(values)
