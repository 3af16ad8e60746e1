"""The training of one chunk of variants that stand side by side, some epochs at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from truestep.core.batch import Batch, rows
from truestep.core.loss import Loss
from truestep.data.orders import orders
from truestep.data.seeds import mix
from truestep.fit.evaluate import evaluation_mode
from truestep.sweep.found import Chunk, Schedule
from truestep.sweep.programs import Figures, Programs, joined
from truestep.sweep.stack import Fixed, State

BLOCK = 256
"""Steps between two looks at what a study has found, at the most."""


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
        self.guard, self._seed = False, 0
        size = state["alive"].numel()
        self.found = Chunk(torch.zeros(size, dtype=torch.int64), torch.zeros(size, dtype=torch.int64))
        self._least = torch.full((size,), torch.inf, dtype=torch.float64)

    @torch.no_grad()
    def run(self, seed: int, told: Callable[[int], None]) -> Chunk:
        """Train all epochs, block by block; `told` hears how many are done."""
        self._seed = seed
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            for epochs in self._blocks():
                self._note(self.found.train, epochs, self._block(epochs))
                last = epochs[-1:]
                if self.valid and self.plan.evaluates(last[0]):
                    figures = self._evaluate()
                    self._note(self.found.valid, last, figures)
                    self._consider(last[0], figures["loss"][0])
                told(last[0])
        self.found.weights = self._tensors()
        return self.found

    @torch.no_grad()
    def seconds(self) -> float:
        """What a step takes once its program is there: the quickest of three."""
        row, spent = orders(self.samples, self.orders, [1])[0, :, : self.plan.batch_size].to(self.device), []
        with torch.random.fork_rng():
            for _ in range(5):
                began = time.perf_counter()
                self.state, _ = self.programs("step", self.state, self.fixed, row)
                spent.append(time.perf_counter() - began)
        return min(spent[2:])

    def _blocks(self) -> Iterator[range]:
        """Epochs whose figures are looked at together, each block twice as long as the one before, up to `BLOCK` steps.

        A look costs as much as several small steps, and what diverges does so early, where blocks are short.
        """
        first, length, most = 1, 1, max(1, BLOCK * self.plan.batch_size // self.samples)
        while first <= self.plan.epochs:
            block = range(first, min(first + length, self.plan.epochs + 1))
            until = next((epoch for epoch in block if self.valid and self.plan.evaluates(epoch)), block[-1])
            yield range(first, until + 1)
            first, length = until + 1, min(2 * length, most)

    def _block(self, epochs: range) -> dict[str, Tensor]:
        """Some passes over the data; where something was not finite, or nothing counted, they are made once more.

        The first time every variant moves whatever comes, which costs nothing; the second time those that diverge stay.
        """
        before, positions = self.state, orders(self.samples, self.orders, epochs).to(self.device)
        (totals, counts), alive = self._pass(epochs, positions)
        if not self.guard and not self._sound(totals, counts):
            self.guard, self.state = True, before
            (totals, counts), alive = self._pass(epochs, positions)
        if alive is not None:
            for epoch, gone in zip(epochs, ~alive.flatten(1).cpu(), strict=True):
                self.found.diverged[gone & (self.found.diverged == 0)] = epoch
        return self._means(totals, counts, len(epochs))

    def _pass(self, epochs: range, positions: Tensor) -> tuple[Figures, Tensor | None]:
        """`(the figures of all steps, who was alive after each epoch, where some may not be)`.

        `positions` is (epochs, orders, samples).
        """
        # torch.manual_seed seeds every kind of device that there is, which takes milliseconds.
        (torch.default_generator if self.device.type == "cpu" else torch).manual_seed(mix(self._seed, epochs[0], 1))
        size = self.plan.batch_size
        whole = self.samples // size * size
        batches = positions[:, :, :whole].unflatten(2, (-1, size)).transpose(1, 2)  # (epochs, steps, orders, batch)
        if not self.guard and whole == self.samples:
            return self._steps(batches.flatten(0, 1)), None
        seen, alive = [], []
        for own, left in zip(batches, positions[:, :, whole:], strict=True):
            seen += [self._steps(own)] if len(own) else []
            seen += [self._steps(left.unsqueeze(0))] if whole < self.samples else []
            alive.append(self.state["alive"])
        return joined(seen, torch.cat), torch.stack(alive) if self.guard else None

    def _steps(self, batches: Tensor) -> Figures:
        """The figures of some steps on the samples `batches` (steps, orders, batch)."""
        name = "guarded" if self.guard else "step"
        self.state, figures = self.programs.run(name, self.state, self.fixed, batches.contiguous())
        return figures

    def _sound(self, totals: dict[str, Tensor], counts: dict[str, Tensor]) -> bool:
        """Whether every loss and weight is finite, and every batch counted something."""
        # A sum is finite where all that it adds is, and where it is not by chance, a second look costs a pass.
        held = [*totals.values(), *self.state["params"].values()]
        if not all(math.isfinite(tensor.sum()) for tensor in held):
            return False
        own = [counts[name] for name in self.programs.stack.objective.terms]
        return any(bool(each.amin() > 0) for each in own) or bool((torch.stack(own) != 0).any(0).all())

    def _evaluate(self) -> dict[str, Tensor]:
        model = self.programs.stack.model
        with evaluation_mode(model):
            seen = [self.programs("evaluated", self.state, self.fixed, batch) for batch in self.valid]
        return self._means(*joined(seen, torch.stack), 1)

    def _means(self, totals: dict[str, Tensor], counts: dict[str, Tensor], passes: int) -> dict[str, Tensor]:
        """The objective, each term and metric over each pass, (passes, variants): added in float64, divided once."""
        objective, found, loss = self.programs.stack.objective, {}, 0.0
        totals, counts = ({n: _passes(each, passes) for n, each in side.items()} for side in (totals, counts))
        for name, total in totals.items():
            count = counts[name][:, -1] if name in objective.sums else counts[name].sum(1)
            found[name] = Loss(total.sum(1), count).mean
            if name in objective.terms:
                weight = self.fixed["weights"].get(name, objective.weights[name])
                loss = loss + torch.where(count == 0, 0.0, weight * found[name])
        own = torch.stack([counts[name].sum(1) for name in objective.terms])
        found["loss"] = torch.where((own != 0).any(0), loss, torch.nan)
        return {name: each.flatten(1).cpu() for name, each in found.items()}

    def _note(self, table: dict[str, Tensor], epochs: range, figures: Mapping[str, Tensor]) -> None:
        """Write the figures of some epochs into the table; a variant that has diverged has none."""
        when = torch.tensor(epochs).unsqueeze(1)
        gone = (self.found.diverged > 0) & (self.found.diverged <= when)
        for name, each in figures.items():
            size = (self.plan.epochs, each.shape[1])
            column = table.setdefault(name, torch.full(size, torch.nan, dtype=torch.float64))
            column[epochs[0] - 1 : epochs[-1]] = each.masked_fill(gone, torch.nan)

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


def _passes(figures: Tensor, passes: int) -> Tensor:
    """(batches of all passes, orders, grid) as (passes, batches, orders, grid), in float64."""
    return figures.double().unflatten(0, (passes, -1))
