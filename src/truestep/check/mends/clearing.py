"""Mends of gradients that are cleared never, too early, or not within a closure."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from truestep.check.changes import Clear
from truestep.check.finding import Finding
from truestep.check.gradients import reached
from truestep.check.mends import LOSS, Claim, Mend
from truestep.check.mends.trial import Makers, Trial, listed, passes
from truestep.check.patches import hooked, replaced
from truestep.check.trace import Trace


class Cleared(Mend):
    """Before the first pass of each update, whatever an update has used is cleared."""

    words = "the gradients cleared before the first pass of each update"
    claims = (Claim("gradient", "a pass leaves a gradient whose norm is on average", "other", "mean"), LOSS)

    def offer(self, trace: Trace, finding: Finding) -> dict[str, Any] | None:
        """The lines of the first passes of the updates: of each optimizer, and by hand with the passes of an update."""
        made = {number: events[0].site.place for number, events in trace.optimizers().items()}
        first: dict[tuple[str, int], set[tuple[str, int]]] = {}
        by_hand: Counter[tuple[str, int]] = Counter()
        counts: Counter[int] = Counter()
        for update in trace.updates():
            if update.backwards and update.step is None:
                by_hand[update.backwards[0].site.place] += 1
                counts[len(update.backwards)] += 1
            elif update.backwards and update.step is not None and update.step.optimizer in made:
                first.setdefault(made[update.step.optimizer], set()).add(update.backwards[0].site.place)
        if not first and not by_hand:
            return None
        hand = [[*by_hand.most_common(1)[0][0], counts.most_common(1)[0][0]]] if by_hand and not first else []
        return {"first": [[list(place), sorted(map(list, lines))] for place, lines in first.items()], "hand": hand}

    def force(self, trial: Trial) -> Iterator[Any]:
        """Optimizers that have stepped are cleared before the next pass of such a line."""
        makers, due = Makers(), weakref.WeakSet[Optimizer]()
        count = 0
        first = [(tuple(place), [tuple(line) for line in lines]) for place, lines in trial.facts["first"]]

        def around(run: Any, tensors: Any, *args: Any, **words: Any) -> Any:
            nonlocal count
            for optimizer in list(due):
                lines = [line for place, each in first if makers.places.get(optimizer) == place for line in each]
                if lines and trial.at(*lines):
                    due.discard(optimizer)
                    trial.acted += 1
                    optimizer.zero_grad()
            for file, line, each in trial.facts["hand"]:
                if trial.at((file, line)):
                    trial.acted += _dropped(tensors) if count and count % each == 0 else 0
                    count += 1
            return run(tensors, *args, **words)

        yield makers.watches(trial)
        yield hooked(register_optimizer_step_post_hook(lambda one, args, words: due.add(one)))
        yield passes(trial, around)


def _dropped(tensors: Any) -> int:
    leaves = [leaf for leaf in reached(listed(tensors))[0] if leaf.grad is not None]
    for leaf in leaves:
        leaf.grad = None
    return len(leaves)


class ClearedLater(Mend):
    """A clearing between a backward pass and the step waits until the step is done."""

    words = "this clearing moved to after the step"
    claims = (Claim("step", "an update has on average a norm of", "more", "mean"), LOSS)

    def offer(self, trace: Trace, finding: Finding) -> dict[str, Any] | None:
        """Only `zero_grad` can be moved."""
        known = [clear for clear in trace.of(Clear) if clear.site.place == finding.site.place]
        return {} if known and all(clear.how in ("optimizer", "module") for clear in known) else None

    def force(self, trial: Trial) -> Iterator[Any]:
        """Put the clearing off."""
        waiting: list[Callable[[], Any]] = []

        def zero_grad(run: Any, one: Any, *args: Any, **words: Any) -> Any:
            if not trial.awake or not trial.at():
                return run(one, *args, **words)
            trial.acted += 1
            waiting.append(lambda: run(one, *args, **words))
            return None

        def after(one: Optimizer, args: Any, words: Any) -> None:
            while waiting:
                waiting.pop()()

        yield replaced(Optimizer, "zero_grad", zero_grad)
        yield replaced(nn.Module, "zero_grad", zero_grad)
        yield hooked(register_optimizer_step_post_hook(after))


class ClosureCleared(Mend):
    """Within a step, each pass begins with cleared gradients."""

    words = "the gradients cleared before each pass of the closure"
    claims = (Claim("gradient", "a pass leaves a gradient whose norm is on average", "other", "mean"), LOSS)

    def force(self, trial: Trial) -> Iterator[Any]:
        """Clear the optimizer that is stepping."""
        stepping: list[Optimizer] = []

        def ends(one: Optimizer, args: Any, words: Any) -> None:
            if stepping:
                stepping.pop()

        def around(run: Any, *args: Any, **words: Any) -> Any:
            if stepping and trial.at():
                trial.acted += 1
                stepping[-1].zero_grad()
            return run(*args, **words)

        yield hooked(register_optimizer_step_pre_hook(lambda one, args, words: stepping.append(one)))
        yield hooked(register_optimizer_step_post_hook(ends))
        yield passes(trial, around)
