"""Whether stacking the variants of a group is worth it: an ordinary pass is counted, and a stacked step timed.

Stacking saves what torch takes for each operation, however small, and nothing of the arithmetic, which it may even slow
down: a convolution of many models is no faster than many convolutions, and their weights leave the cache together. So
where a forward pass is mostly arithmetic, variants are stacked only after a step of theirs has been timed, and where
the study is too short to time it, they are not. What is counted decides first, so that a study is trained in the same
way each time; a clock decides only where much depends on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from truestep.core.batch import Batch, leaves
from truestep.core.recording import DRAWS
from truestep.core.step import TrainStep
from truestep.sweep.grid import Variant
from truestep.sweep.settings import Maker

BOUND = 0.65
"""The share of arithmetic in a forward pass from which on stacking may lose.

Measured on 20 studies: below it, stacks took 1.7 to 5.8 times less than loops; above it, between 4 times less (narrow
products of one batch) and 1.8 times more (convolutions on images of 28x28).
"""
CALL, PRODUCTS, MOVED = 4e-6, 1e11, 1e10
"""Seconds that an operation takes beside its work; multiplications and additions, and bytes, of a thread a second."""
TIMED = 0.03
"""The share of a study's time that timing a stacked step may take."""
CALLS = 20
"""Steps of each variant that timing is worth: a program is run ten times, and may take twice as long as the loop."""
SETUP = 0.1
"""Seconds that writing a program down takes besides."""
STEP = 3
"""Forward passes that a step is worth: backward takes twice as long as forward."""


class Counter(TorchDispatchMode):
    """Counts operations, the work in their products, the bytes that they write, and whether they draw."""

    def __init__(self) -> None:
        super().__init__()
        self.calls, self.flops, self.bytes, self.draws = 0, 0, 0, False

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # saves the second that it takes to load torch's compiler

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        self.calls += 1
        self.draws |= DRAWS in func.tags
        if (count := flop_registry.get(func.overloadpacket)) is not None:
            self.flops += count(*args, **(kwargs or {}), out_val=found)
        if not func.is_view:
            self.bytes += sum(leaf.nbytes for _, leaf in leaves(found) if isinstance(leaf, Tensor))
        return found


@dataclass(frozen=True, slots=True)
class Pass:
    """An ordinary forward pass over a `batch`: bytes of it and of what all modules return, and what was counted."""

    batch: Batch
    kept: int
    counter: Counter

    def seconds(self, model: nn.Module) -> tuple[float, float]:
        """`(arithmetic, everything)`, by what was counted: a lower bound on one thread."""
        weights = sum(each.nbytes for each in model.parameters())
        work = self.counter.flops / PRODUCTS / torch.get_num_threads() + (self.counter.bytes + weights) / MOVED
        return work, work + self.counter.calls * CALL


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether variants are stacked, and, where they are not, why."""

    stacks: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much there is to do: variants of the group, steps of each, and how many variants stand side by side."""

    variants: int
    steps: int
    together: int


def verdict(
    scale: Scale, seen: Pass, model: nn.Module, alone: Callable[[], float], stacked: Callable[[], float]
) -> Verdict:
    """Stack or not.

    Args:
        scale: how much there is to do.
        seen: a pass over the first batch.
        model: one variant.
        alone: times an ordinary step of one variant, in seconds.
        stacked: times a step of `scale.together` stacked variants.
    """
    if scale.variants == 1:
        return Verdict(False, "since there is nothing to stack it with")
    work, whole = seen.seconds(model)
    if work < BOUND * whole:
        return Verdict(True)
    bound = f"since some {work / whole:.0%} of a step is arithmetic, which stacking does not save"
    each = STEP * whole
    if TIMED * scale.variants * scale.steps * each < CALLS * scale.together * each + SETUP:
        return Verdict(False, bound)
    ratio = stacked() / (scale.together * alone())
    if ratio <= 1:
        return Verdict(True)
    return Verdict(False, f"{bound}: a stacked step took {ratio:.2f} times as long as those of its variants")


def step_seconds(maker: Maker, variant: Variant, batch: Batch) -> float:
    """What an ordinary step of one variant takes: the quickest of four."""
    model = maker.make(variant).train()
    step, spent = TrainStep(model, maker.objective, maker.make_optimizer(model, variant.settings)), []
    with torch.random.fork_rng():
        for _ in range(4):
            began = time.perf_counter()
            step(*batch)
            spent.append(time.perf_counter() - began)
    return min(spent)
