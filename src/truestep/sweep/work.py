"""One chunk of a study from beginning to end: make the models, stack them, train; or train them one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from truestep.core.batch import Batch, split, to_device
from truestep.core.errors import ConfigError, TruestepError
from truestep.core.gradients import Metric
from truestep.sweep.chunks import Layout
from truestep.sweep.found import Chunk, Schedule
from truestep.sweep.grid import Variant
from truestep.sweep.hyper import begun, rules_of
from truestep.sweep.programs import Programs
from truestep.sweep.settings import Maker
from truestep.sweep.stack import Fixed, Stack, State, stacked
from truestep.sweep.train import Trainer
from truestep.sweep.tryout import CannotStack, first_sentence

Say = Callable[[str], None]


@dataclass(frozen=True)
class Work:
    """What all chunks of a group share.

    `rule` and `columns` are as `hyper` gives them, `places` the place of each variant in these columns.
    """

    maker: Maker
    data: Batch
    valid: Batch | None
    metrics: Mapping[str, Metric]
    plan: Schedule
    evaluated: int
    rule: str
    columns: Mapping[str, Mapping[str, Any]]
    places: Mapping[int, int]
    device: torch.device
    model: nn.Module


class Stacker:
    """Runs the chunks of one group; programs are written down for the first and serve all that are like it."""

    def __init__(self, work: Work, say: Say, steps: int, compile: Any) -> None:
        self.work, self.say, self.steps, self.compile = work, say, steps, compile
        self._programs: dict[tuple[int, int], Programs] = {}

    def run(self, layout: Layout, told: Callable[[int], None]) -> Chunk:
        """Train the variants of a layout."""
        return self.trainer(layout).run(layout.variants[0].index, told)

    def seconds(self, layout: Layout) -> float:
        """What a step of a layout takes; its program is kept, its variants are thrown away.

        Raises:
            CannotStack, TruestepError: as in `try_out`.
        """
        self.try_out(layout.variants[0])
        return self.trainer(layout).seconds()

    def try_out(self, variant: Variant) -> None:
        """Step one variant once, forward, backward and update, and throw it away.

        Raises:
            CannotStack: where that fails, with the reason.
            TruestepError: for what is wrong with the data or the losses themselves.
        """
        trainer = Stacker(self.work, self.say, 0, False).trainer(Layout((variant,), (variant.order,)))
        row = torch.arange(min(2, trainer.samples), device=self.work.device).unsqueeze(0)
        try:
            with torch.random.fork_rng(), torch.no_grad():
                trainer.programs("guarded", trainer.state, trainer.fixed, row)
        except TruestepError:
            raise
        except Exception as error:
            raise CannotStack(f"{type(error).__name__}: {first_sentence(error)}") from error

    def trainer(self, layout: Layout) -> Trainer:
        """The variants of a layout, stacked and ready."""
        work = self.work
        state, fixed, stack = self._stack(layout)
        valid = [] if work.valid is None else split(work.valid, work.evaluated)
        programs = self._programs.setdefault(layout.shape, Programs(stack, self.say, self.steps, self.compile))
        programs.begin()
        return Trainer(programs, state, fixed, layout.orders, valid, work.plan)

    def _stack(self, layout: Layout) -> tuple[State, Fixed, Stack]:
        work, shape = self.work, layout.shape
        made = models(work.maker, layout.variants)
        named = [dict(model.named_parameters()) for model in made]
        moved = [name for name, each in named[0].items() if each.requires_grad and name in work.columns]
        params = self._side_by_side([{name: one[name] for name in moved} for one in named], shape)
        frozen = self._side_by_side([{n: each for n, each in one.items() if n not in params} for one in named], shape)
        buffers = self._side_by_side([dict(model.named_buffers()) for model in made], shape)
        picked = [work.places[variant.index] for variant in layout.variants]
        rules, hyper = rules_of(work.rule, work.columns, picked, params, shape)
        settings = [variant.settings for variant in layout.variants]
        limits = [one["clip_norm"] for one in settings if one.get("clip_norm") is not None]
        weights = {
            name: [one[name] for one in map(work.maker.weights, settings)] for name in work.maker.weights(settings[0])
        }
        state: State = {
            "params": params,
            "buffers": buffers,
            "rule": {name: begun(rule, params[name]) for name, rule in rules.items()},
            "alive": torch.ones(shape, dtype=torch.bool, device=work.device),
        }
        fixed: Fixed = {
            "data": work.data,
            "frozen": frozen,
            "hyper": hyper,
            "weights": {name: self._figure(values, shape) for name, values in weights.items()},
            "clip": self._figure(limits, shape) if limits else None,
        }
        stack = Stack(work.model, work.maker.objective, work.metrics, rules, bool(limits))
        return state, fixed, stack

    def _side_by_side(self, models: Sequence[Mapping[str, Tensor]], shape: tuple[int, int]) -> dict[str, Tensor]:
        return to_device(stacked([{k: v.detach() for k, v in one.items()} for one in models], shape), self.work.device)

    def _figure(self, values: Sequence[float], shape: tuple[int, int]) -> Tensor:
        return torch.tensor(values, dtype=torch.float64, device=self.work.device).reshape(shape)


def models(maker: Maker, variants: Sequence[Variant]) -> list[nn.Module]:
    """The untrained model of each variant, made once for all that start from one seed."""
    made: dict[int, nn.Module] = {}
    for variant in variants:
        if variant.weights not in made:
            made[variant.weights] = maker.make(variant)
    if len({id(model) for model in made.values()}) < len(made):
        raise ConfigError(
            "make_model returned one module twice: make a new one at each call, lambda: nn.Linear(200, 1)."
        )
    return [made[variant.weights] for variant in variants]
