"""Mends of modes: the forwards at a line are run in the other mode, and dropout is told the mode."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from truestep.check.changes import Backward
from truestep.check.events import Forward, Number
from truestep.check.finding import Finding
from truestep.check.mends import Claim, Mend
from truestep.check.mends.trial import Handing, Outermost, Trial
from truestep.check.trace import Trace

READ = ("item", "tolist", "__float__", "numpy", "__format__", "__array__")
SEEDS = 2.0**40
READS = Claim("read", "the number read from each of these passes is on average", "other", "mean")


def read_after(trial: Trial, trace: Trace, places: set[tuple[str, int]], eval_alone: bool = False) -> None:
    """Take down the first number that is read behind each forward of these lines; not the seed that a loader draws.

    What it gave may go through further modules without gradients, a head, say, before it is read.
    """
    inside = False
    for event in trace.of(Forward, Number):
        if isinstance(event, Forward):
            if event.depth == 0:
                here = event.site.place in places and not (eval_alone and event.training)
                inside = here or (inside and not event.grad)
        elif inside and event.how in READ and event.value is not None and abs(event.value) < SEEDS:
            inside = False
            trial.series.setdefault("read", []).append((event.update, event.value))


class _Switched(Mend):
    """The outermost calls at some lines run in one mode, and are put back into their own after it."""

    training: bool

    def wanted(self, trial: Trial, module: nn.Module) -> bool:
        """Whether this call is one of them."""
        raise NotImplementedError

    def other(self, module: nn.Module) -> bool:
        """Whether a model is in the other mode."""
        return module.training != self.training

    def force(self, trial: Trial) -> Iterator[Any]:
        """Switch."""
        was: list[tuple[nn.Module, bool]] = []

        def enter(module: nn.Module) -> None:
            if trial.recorder.live and self.other(module) and self.wanted(trial, module):
                trial.acted += 1
                was.extend((each, each.training) for each in module.modules())
                with trial.recorder.looking:
                    module.train(self.training)

        def leave(module: nn.Module) -> None:
            for each, training in was:
                each.training = training
            was.clear()

        yield from Outermost(enter, leave).watches()


class InTrain(_Switched):
    """Passes that updates come from run in train mode."""

    training = True
    words = "the model in train mode during its training passes"
    claims = (Claim("loss", "the loss is on average", "other", "mean"),)

    def offer(self, trace: Trace, finding: Finding) -> dict[str, Any] | None:
        """The lines of the training passes in eval mode."""
        lines = {
            event.site.place
            for event in trace.of(Forward)
            if event.depth == 0 and event.grad and not event.training and event.outputs and event.outputs[0].needs_grad
        }
        return {"lines": sorted(map(list, lines))} if lines else None

    def wanted(self, trial: Trial, module: nn.Module) -> bool:
        """A call with gradients at such a line."""
        return torch.is_grad_enabled() and trial.at(*trial.facts["lines"])


class InEval(_Switched):
    """Passes that only numbers are made of run in eval mode."""

    training = False
    words = "the model in eval mode during these passes"
    claims = (READS,)

    def offer(self, trace: Trace, finding: Finding) -> dict[str, Any] | None:
        """Whether these passes have gradients; then the line must serve no training."""
        grads, last = set[bool](), None
        for event in trace.of(Forward, Backward):
            if isinstance(event, Forward) and event.depth == 0:
                last = event if event.site.place == finding.site.place else None
                grads |= {last.grad} if last is not None else set()
            elif isinstance(event, Backward) and last is not None and last.grad:
                grads.add(False)  # it trains here: only passes without gradients are switched
        return {"grad": grads == {True}} if grads else None

    def other(self, module: nn.Module) -> bool:
        """Whether a model, or a part of it, is in train mode."""
        return any(each.training for each in module.modules())

    def wanted(self, trial: Trial, module: nn.Module) -> bool:
        """A call at the line of the finding."""
        return (trial.facts["grad"] or not torch.is_grad_enabled()) and trial.at()

    def measure(self, trial: Trial, trace: Trace) -> None:
        """What is read from them."""
        calls = [e for e in trace.of(Forward) if e.depth == 0 and e.site.place == trial.place]
        if calls:
            read_after(trial, trace, {trial.place})


class ToldTheMode(Mend):
    """Dropout at the line of the finding drops nothing while the model is in eval mode."""

    words = "dropout that obeys the mode"
    claims = (READS,)
    names = ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout",
             "scaled_dot_product_attention")  # fmt: skip

    def force(self, trial: Trial) -> Iterator[Any]:
        """Tell it."""
        outer = Outermost(lambda module: None, lambda module: None)

        def change(func: Any, name: str, args: Any, words: Any) -> Any:
            if not outer.stack or outer.stack[0].training:
                return func(*args, **words)
            trial.acted += 1
            if name == "scaled_dot_product_attention":
                told = (*args[:4], 0.0, *args[5:]) if len(args) > 4 else args
                return func(*told, **(words if len(args) > 4 else words | {"dropout_p": 0.0}))
            if len(args) > 2:
                return func(*args[:2], False, *args[3:], **words)
            return func(*args, **(words | {"training": False}))

        yield from outer.watches()
        yield Handing(trial, self.names, change)

    def measure(self, trial: Trial, trace: Trace) -> None:
        """What is read from passes in eval mode."""
        lines = {e.site.place for e in trace.of(Forward) if e.depth == 0 and not e.training}
        read_after(trial, trace, lines, eval_alone=True)
