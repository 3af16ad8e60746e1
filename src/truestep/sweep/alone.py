"""Variants that cannot be stacked, trained one after another by `fit`: the same figures, at a run's own pace."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import nn

from truestep.core.objective import Objective, Term
from truestep.fit.evaluate import evaluate
from truestep.fit.fit import fit
from truestep.fit.run import Run
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
    """What `Trainer.run` finds, one variant after another."""
    size = len(variants)
    found = Chunk(torch.zeros(size, dtype=torch.int64), torch.zeros(size, dtype=torch.int64))
    weights, best = [], []
    for place, variant in enumerate(variants):
        model, run = _run(maker, variant, data, valid if plan.evaluate_every else None, metrics, plan, device)
        for side, table in (("train", found.train), ("valid", found.valid)):
            for row, name, value in _figures(run, side, metrics, plan):
                _table(table, name, size, plan)[row, place] = value
        if run.stopped:
            found.diverged[place] = len(run.history) + 1
        elif valid is not None and not plan.evaluate_every:
            seen = evaluate(model, valid, own_objective(maker.objective, maker.weights(variant.settings)), metrics)
            figures = {"loss": seen.loss, **seen.terms, **{f"metric {k}": v for k, v in seen.metrics.items()}}
            for name, value in figures.items():
                _table(found.valid, name, size, plan)[-1, place] = value
            found.best[place] = plan.epochs if math.isfinite(seen.loss) else 0
        if run.best is not None:
            found.best[place] = run.best.epoch
            best.append(run.kept.weights)
        weights.append(model.state_dict())
        told(plan.epochs)
    found.weights = _stacked(weights)
    found.best_weights = _stacked(best) if len(best) == size else {}
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
    clip = variant.settings.get("clip_norm")
    schedule = {"epochs": plan.epochs, "batch_size": plan.batch_size, "seed": variant.order, "clip_norm": clip}
    run = fit(model, data, objective, optimizer, validate=valid, metrics=metrics, progress=False, **schedule)
    return model, run


def _figures(run: Run, side: str, metrics: Any, plan: Schedule) -> Iterator[tuple[int, str, float]]:
    """`(row, name, value)` of every figure of one side, metrics named as a stack names them."""
    for row, record in enumerate(run.history):
        if side == "valid" and not plan.evaluates(row + 1):
            continue
        for key, value in record.items():
            if key.startswith(f"{side}_"):
                name = key.removeprefix(f"{side}_")
                yield row, f"metric {name}" if name in metrics else name, value


def _table(table: dict[str, torch.Tensor], name: str, size: int, plan: Schedule) -> torch.Tensor:
    return table.setdefault(name, torch.full((plan.epochs, size), torch.nan, dtype=torch.float64))


def _stacked(states: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    return {name: torch.stack([one[name].cpu() for one in states]) for name in states[0]} if states else {}
