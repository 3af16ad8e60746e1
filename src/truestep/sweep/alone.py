"""Variants that cannot be stacked, trained one after another by `fit`: the same figures, at a run's own pace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import nn

from truestep.core.objective import Objective, Term
from truestep.core.step import TrainStep
from truestep.fit.loop import Loop
from truestep.fit.plan import Plan
from truestep.fit.run import Run
from truestep.fit.saving import Saver
from truestep.sweep.found import Chunk, Schedule
from truestep.sweep.grid import Variant
from truestep.sweep.settings import Maker


def train_alone(
    maker: Maker,
    variants: Sequence[Variant],
    data: Any,
    valid: Any,
    metrics: Any,
    plan: Schedule,
    device: torch.device,
    told: Callable[[int], None],
) -> Chunk:
    """What `Trainer.run` finds, one variant after another, by the loop of `fit`."""
    size = len(variants)
    found = Chunk(torch.zeros(size, dtype=torch.int64), torch.zeros(size, dtype=torch.int64))
    for name in ("loss", *maker.objective.terms, *(f"metric {name}" for name in metrics)):
        for table in (found.train, *([] if valid is None else [found.valid])):
            _table(table, name, size, plan)
    weights, best = [], []
    for place, variant in enumerate(variants):
        model, run = _run(maker, variant, data, valid, metrics, plan, device)
        for side, table in (("train", found.train), ("valid", found.valid)):
            for row, name, value in _figures(run, side, metrics):
                _table(table, name, size, plan)[row, place] = value
        if run.stopped:
            found.diverged[place] = len(run.history) + 1
        found.best[place] = 0 if run.best is None else run.best.epoch
        weights.append(model.state_dict())
        best.append(weights[-1] if run.best is None else run.kept.weights)
        told(plan.epochs)
    found.weights = _stacked(weights)
    found.best_weights = _stacked(best) if valid is not None and plan.evaluate_every else {}
    return found


def own_objective(objective: Objective, weights: dict[str, float]) -> Objective:
    """The objective with the weights of one variant."""
    if not weights:
        return objective
    terms = {}
    for name, term in objective.terms.items():
        weight = weights.get(name, term.weight)
        terms[name] = Term(term.loss, weight, term.of, term.couples, term.reduction, term.count)
    return Objective(**terms)


def _run(
    maker: Maker, variant: Variant, data: Any, valid: Any, metrics: Any, plan: Schedule, device: torch.device
) -> tuple[nn.Module, Run]:
    model = maker.make(variant).to(device)
    objective = own_objective(maker.objective, maker.weights(variant.settings))
    optimizer = maker.make_optimizer(model, variant.settings)
    step = TrainStep(model, objective, optimizer, clip_norm=variant.settings.get("clip_norm"), metrics=metrics)
    schedule = Plan(plan.epochs, variant.order, plan.batch_size, evaluate_every=plan.evaluate_every or plan.epochs)
    # As `fit` does it, but that a variant diverged is told by the table.
    return model, Loop(step, data, valid, schedule, Saver(None, False)).run((), None, None)


def _figures(run: Run, side: str, metrics: Any) -> Iterator[tuple[int, str, float]]:
    """`(row, name, value)` of every figure of one side, metrics named as a stack names them."""
    for row, record in enumerate(run.history):
        for key, value in record.items():
            if key.startswith(f"{side}_"):
                name = key.removeprefix(f"{side}_")
                yield row, f"metric {name}" if name in metrics else name, value


def _table(table: dict[str, torch.Tensor], name: str, size: int, plan: Schedule) -> torch.Tensor:
    return table.setdefault(name, torch.full((plan.epochs, size), torch.nan, dtype=torch.float64))


def _stacked(states: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    return {name: torch.stack([one[name].cpu() for one in states]) for name in states[0]} if states else {}
