"""The training of one chunk of variants that stand side by side, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from truestep.core.batch import Batch, rows
from truestep.core.loss import Loss
from truestep.data.batches import mix, order
from truestep.fit.evaluate import evaluation_mode
from truestep.sweep.found import Chunk, Schedule
from truestep.sweep.programs import Programs
from truestep.sweep.stack import Fixed, State

Figures = tuple[dict[str, Tensor], dict[str, Tensor]]
"""Totals and counts by name."""


class Trainer:
    """One chunk under way: `state` changes with each step, `fixed` stays.

    Args:
        orders: the seed of the batch order of each row of variants.
        valid: the batches of validation, which all variants see.
    """

    def __init__(
        self,
        programs: Programs,
        state: State,
        fixed: Fixed,
        orders: Sequence[int],
        valid: Sequence[Batch],
        plan: Schedule,
    ) -> None:
        self.programs, self.state, self.fixed = programs, state, fixed
        self.orders, self.valid, self.plan = orders, valid, plan
        self.samples = rows(fixed["data"][0])
        self.device = state["alive"].device
        self.guard = False
        size = state["alive"].numel()
        self.found = Chunk(torch.zeros(size, dtype=torch.int64), torch.zeros(size, dtype=torch.int64))
        self._least = torch.full((size,), torch.inf, dtype=torch.float64)

    @torch.no_grad()
    def run(self, seed: int, told: Callable[[int], None]) -> Chunk:
        """Train all epochs; `told` hears of each."""
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            for epoch in range(1, self.plan.epochs + 1):
                # torch.manual_seed seeds every kind of device that there is, which takes milliseconds.
                (torch.default_generator if self.device.type == "cpu" else torch).manual_seed(mix(seed, epoch, 1))
                self._note(self.found.train, epoch, self._epoch(epoch))
                if self.valid and self.plan.evaluates(epoch):
                    figures = self._evaluate()
                    self._note(self.found.valid, epoch, figures)
                    self._consider(epoch, figures["loss"])
                told(epoch)
        self.found.weights = self._tensors()
        return self.found

    def _epoch(self, epoch: int) -> dict[str, Tensor]:
        """One pass over the data; where something was not finite, or nothing counted, it is gone over once more.

        The first time every variant moves whatever comes, which costs nothing; the second time those that diverge stay.
        """
        before = self.state
        positions = torch.stack([order(self.samples, seed, epoch) for seed in self.orders]).to(self.device)
        batches = [part.contiguous() for part in positions.split(self.plan.batch_size, 1)]
        totals, counts = self._pass(batches)
        if not self.guard and not self._sound(totals, counts):
            self.guard, self.state = True, before
            totals, counts = self._pass(batches)
        gone = ~self.state["alive"].flatten().cpu() & (self.found.diverged == 0)
        self.found.diverged[gone] = epoch
        return self._means(totals, counts)

    def _pass(self, batches: Sequence[Tensor]) -> Figures:
        name, seen = "guarded" if self.guard else "step", []
        for row in batches:
            self.state, figures = self.programs(name, self.state, self.fixed, row)
            seen.append(figures)
        return _stacked(seen)

    def _sound(self, totals: dict[str, Tensor], counts: dict[str, Tensor]) -> bool:
        """Whether every loss and weight is finite, and every batch counted something."""
        held = [*totals.values(), *self.state["params"].values()]
        own = torch.stack([counts[name] for name in self.programs.stack.objective.terms])
        return all(bool(tensor.isfinite().all()) for tensor in held) and bool((own != 0).any(0).all())

    def _evaluate(self) -> dict[str, Tensor]:
        model = self.programs.stack.model
        with evaluation_mode(model):
            seen = [self.programs("evaluated", self.state, self.fixed, batch) for batch in self.valid]
        return self._means(*_stacked(seen))

    def _means(self, totals: dict[str, Tensor], counts: dict[str, Tensor]) -> dict[str, Tensor]:
        """The objective, each term and metric over all batches, (variants,): summed in float64 and divided once."""
        objective, found, loss = self.programs.stack.objective, {}, 0.0
        for name, total in totals.items():
            count = counts[name][-1] if name in objective.sums else counts[name].double().sum(0)
            found[name] = Loss(total.double().sum(0), count.double()).mean
            if name in objective.terms:
                weight = self.fixed["weights"].get(name, objective.weights[name])
                loss = loss + torch.where(count == 0, 0.0, weight * found[name])
        own = torch.stack([counts[name].double().sum(0) for name in objective.terms])
        found["loss"] = torch.where((own != 0).any(0), loss, torch.nan)
        return {name: each.flatten().cpu() for name, each in found.items()}

    def _note(self, table: dict[str, Tensor], epoch: int, figures: Mapping[str, Tensor]) -> None:
        """Write the figures of an epoch into the table; a variant that has diverged has none."""
        gone = self.found.diverged > 0
        for name, each in figures.items():
            size = (self.plan.epochs, len(each))
            table.setdefault(name, torch.full(size, torch.nan, dtype=torch.float64))[epoch - 1] = each
            table[name][epoch - 1, gone] = torch.nan

    def _consider(self, epoch: int, losses: Tensor) -> None:
        """Keep the weights of every variant that was never better; a real copy, made where there is a choice."""
        better = (losses < self._least) & (self.found.diverged == 0)
        self._least[better], self.found.best[better] = losses[better], epoch
        if not self.plan.evaluate_every:
            return
        now, kept = self._tensors(), self.found.best_weights
        self.found.best_weights = {
            name: torch.where(better.reshape(-1, *[1] * (each.dim() - 1)), each, kept.get(name, each))
            for name, each in now.items()
        }

    def _tensors(self) -> dict[str, Tensor]:
        """Parameters and buffers of every variant, (variants, ...), on the CPU."""
        held = {**self.state["params"], **self.fixed["frozen"], **self.state["buffers"]}
        return {name: each.flatten(0, 1).cpu() for name, each in held.items()}


def _stacked(seen: Sequence[Figures]) -> Figures:
    """The figures of several batches, name -> (batches, orders, grid)."""
    totals, counts = ({name: torch.stack([one[k][name] for one in seen]) for name in seen[0][k]} for k in (0, 1))
    return totals, counts
