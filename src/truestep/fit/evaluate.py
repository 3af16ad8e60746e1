"""Figures over a whole data set as sums over counts, whatever the batches they were taken in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from truestep.core import model as models
from truestep.core import ranks
from truestep.core.batch import Batch, leaves, rows
from truestep.core.errors import ConfigError
from truestep.core.finite import read
from truestep.core.gradients import Metric
from truestep.core.loss import Count, Loss, value
from truestep.core.objective import Objective, as_objective
from truestep.core.outcome import StepOut
from truestep.core.precision import Precision
from truestep.core.ranks import Ranks
from truestep.data.batches import source
from truestep.fit.metrics import as_metrics

EVALUATED_BYTES = 2**20
"""Inputs of a forward pass without gradients: small samples are evaluated many at a time."""


@dataclass(slots=True)
class Sums:
    """Totals and counts by name, added up over batches; those of sums keep the count 1.

    A term that cannot be merged (it couples samples, or does not say its count) is averaged over batches, weighted by
    their samples; `averaged` says why.
    """

    totals: dict[str, float | Tensor] = field(default_factory=dict)
    counts: dict[str, Count] = field(default_factory=dict)
    samples: int = 0
    averaged: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, total: float | Tensor, count: Count, summed: bool = False) -> None:
        """Add the total and the count of one batch."""
        self.totals[name] = self.totals.get(name, 0.0) + total
        self.counts[name] = count if summed else self.counts.get(name, 0) + count

    def add_each(self, name: str, totals: Sequence[float], counts: Sequence[float], summed: bool = False) -> None:
        """Add those of several batches, one after another: in another order the last bits would differ."""
        total, count = self.totals.get(name, 0.0), self.counts.get(name, 0)
        for each in totals:
            total = total + each
        for each in counts:
            count = count + each
        self.totals[name], self.counts[name] = total, counts[-1] if summed else count

    def add_loss(self, name: str, part: Loss) -> None:
        """Add one term or metric of one batch."""
        part = part.detach()
        if part.alone:
            self.averaged[name] = part.alone
            self.add(name, _wide(part.mean) * part.samples, part.samples)
        else:
            weighted = isinstance(part.count, Tensor) and part.count.is_floating_point()
            self.add(name, _wide(part.total), _wide(part.count) if weighted else part.count, part.reduction == "sum")

    def add_step(self, out: StepOut, sums: frozenset[str]) -> None:
        """Add what one training step found."""
        for name, total in out.totals.items():
            if name in out.alone:
                self.averaged[name] = out.alone[name]
                self.add(name, out.terms[name] * out.samples, out.samples)
            else:
                self.add(name, total, out.counts[name], name in sums)
        self.samples += out.samples

    def means(self, names: Iterable[str], device: torch.device) -> dict[str, float]:
        """Each total over its count, read from the device at once; NaN for a name that nothing was added for."""
        if not self.totals:
            return dict.fromkeys(names, float("nan"))
        row = read([*self.totals.values(), *self.counts.values()], device)
        size = len(self.totals)
        found = dict.fromkeys(names, float("nan"))
        for k, name in enumerate(self.totals):
            found[name] = value(row[k], row[size + k])
        return found


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures of a model on a data set: the objective, its unweighted terms, metrics, and how many samples."""

    loss: float
    terms: dict[str, float]
    metrics: dict[str, float]
    samples: int
    averaged: dict[str, str]


def evaluate(
    model: models.Model,
    data: Any,
    objective: Any,
    metrics: Any = None,
    batch_size: int | None = None,
    amp: Any = None,
) -> Evaluation:
    """The objective and metrics of `model` over all of `data`, in evaluation mode, without gradients.

    `loss = sum_k weight_k * total_k / count_k`, totals and counts summed over batches and ranks: mean losses are
    weighted by valid tokens, class weights or elements as torch itself weighs the whole in one batch.

    Args:
        model: a module or a callable; its modes come back as they were.
        data: `(inputs, targets)`, a data set or a loader.
        objective: an `Objective` or a loss.
        metrics: name -> metric, see `ts.metrics`.
        batch_size: samples a forward pass; None takes as many as fit a small buffer.
        amp: autocast of the forward pass, as in `TrainStep`.

    Raises:
        DataError: for empty data or batches that are not `(inputs, targets)`.
    """
    device = models.device_of(model, data)
    together = ranks.current()
    size = evaluation_size(data, 1) if batch_size is None else batch_size
    batches = source(data, size, None, together, device)
    precision = Precision(amp, device)
    return evaluate_batches(
        model, batches.batches(0), as_objective(objective), as_metrics(metrics), precision, together
    )


def evaluate_batches(
    model: models.Model,
    batches: Iterable[Batch | None],
    objective: Objective,
    metrics: Mapping[str, Metric],
    precision: Precision,
    together: Ranks,
) -> Evaluation:
    """The same on batches that are made already."""
    terms, measured = Sums(), Sums()
    with torch.no_grad(), evaluation_mode(model):
        for batch in batches:
            if batch is None:
                continue
            with precision.autocast():
                output = models.forward(model, batch[0])
            for name, part in objective.parts(output, batch[1]).items():
                terms.add_loss(name, part)
            for name, metric in metrics.items():
                measured.add_loss(name, metric(output, batch[1]))
            terms.samples += rows(batch[0]) or rows(batch[1])
    device = precision.device
    meet(terms, objective.terms, objective.sums, together, device)
    meet(measured, metrics, frozenset(), together, device)
    means, others = terms.means(objective.terms, device), measured.means(metrics, device)
    return Evaluation(weigh(objective, means, terms.counts), means, others, terms.samples, terms.averaged)


def weigh(objective: Objective, means: Mapping[str, float], counts: Mapping[str, Count]) -> float:
    """The objective from the means of its terms; a term that counted nothing is left out unless all did."""
    found, live = 0.0, False
    for name, mean in means.items():
        if counts.get(name):
            found, live = found + objective.weights[name] * mean, True
    return found if live else float("nan")


def label(figures: dict[str, Any], side: str, terms: Mapping[str, float], metrics: Mapping[str, float]) -> None:
    """Write terms, where there are several, and metrics among the figures, as those of one side: `train`, `valid`."""
    for shown in (terms, metrics) if len(terms) > 1 else (metrics,):
        for name, figure in shown.items():
            figures[f"{side}_{name}"] = figure


def meet(sums: Sums, names: Any, whole: frozenset[str], together: Ranks, device: torch.device) -> None:
    """Add up the sums of all ranks, in place."""
    if together.size == 1:
        return
    order = list(names)
    row = [sums.totals.get(name, 0.0) for name in order] + [sums.counts.get(name, 0.0) for name in order]
    met = together.add([*row, sums.samples], device)
    sums.totals = dict(zip(order, met, strict=False))
    sums.counts = {name: 1.0 if name in whole else met[len(order) + k] for k, name in enumerate(order)}
    sums.samples = int(met[-1])


def evaluation_size(data: Any, training: int) -> int | None:
    """Samples a forward pass without gradients: as many as fit the buffer, at least those of a training batch."""
    if isinstance(data, DataLoader):
        return None
    if not isinstance(data, tuple | list) or len(data) != 2:
        return training if training > 1 else None
    held = [leaf for _, leaf in leaves(data[0]) if hasattr(leaf, "nbytes")]
    samples = max(len(held[0]), 1) if held and held[0].ndim else 1
    per_sample = max(sum(leaf.nbytes for leaf in held) // samples, 1)
    return max(training, min(EVALUATED_BYTES // per_sample, samples), 1)


@contextmanager
def evaluation_mode(model: models.Model) -> Iterator[None]:
    """Every module in evaluation mode, and afterwards in the mode it had: frozen layers stay frozen."""
    if not isinstance(model, nn.Module):
        yield
        return
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def refuse_same_names(objective: Objective, metrics: Mapping[str, Metric]) -> None:
    """Refuse terms and metrics whose figures would overwrite one another in the record of an epoch."""
    if len(objective.terms) == 1:
        return
    if "loss" in objective.terms:
        raise ConfigError(
            "one of several terms is called loss, which is the objective's own figure: name it, "
            "ts.Objective(mse=..., penalty=...)."
        )
    for name in metrics:
        if name in objective.terms:
            raise ConfigError(f"a term and a metric are both called {name}: give one of them another name.")


def _wide(total: Any) -> Tensor:
    """A total for adding up many: float32 would lose digits with every batch."""
    return total if total.device.type == "mps" else total.double()
