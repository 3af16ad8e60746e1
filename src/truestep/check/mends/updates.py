"""Mends of updates: missing steps, losses that are not divided, clipping out of place, what optimizers hold."""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterator
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from truestep.check.changes import Clip, OptimizerMade, Scaler, Step
from truestep.check.finding import Finding
from truestep.check.gradients import reached
from truestep.check.mends import LOSS, Claim, Mend
from truestep.check.mends.trial import Makers, Trial, holds, listed, passes
from truestep.check.patches import hooked, replaced
from truestep.check.rules._pace import paces
from truestep.check.trace import Trace

WHOLE = 1e-3
"""By how much of their norm an update changes the weights at an ordinary rate."""


class Stepped(Mend):
    """The optimizer that is never stepped steps after each pass that reaches what it holds."""

    words = "this optimizer stepped after each of its backward passes"
    claims = (Claim("step", "all updates together have a length of", "more", "sum"), LOSS)

    def offer(self, trace: Trace, finding: Finding) -> dict[str, Any] | None:
        """The lines of the optimizers that never step; a scaler would have to take part."""
        stepped = {step.optimizer for step in trace.of(Step)}
        idle = [events[0].site.place for number, events in trace.optimizers().items() if number not in stepped]
        return {"made": sorted(map(list, set(idle)))} if idle and not trace.of(Scaler) else None

    def force(self, trial: Trial) -> Iterator[Any]:
        """Step."""
        makers = Makers()
        made = [tuple(place) for place in trial.facts["made"]]

        def around(run: Any, tensors: Any, *args: Any, **words: Any) -> Any:
            leaves = {id(leaf) for leaf in reached(listed(tensors))[0]}
            found = run(tensors, *args, **words)
            for optimizer, place in list(makers.places.items()):
                if place in made and any(id(p) in leaves and p.grad is not None for p in holds(optimizer)):
                    trial.acted += 1
                    optimizer.step()
            return found

        yield makers.watches(trial)
        yield passes(trial, around)


class Divided(Mend):
    """Each loss of a window is divided by the number of its passes."""

    claims = (
        Claim("step", "an update has on average a norm of", "less", "mean"),
        Claim("whole", "the loss ends at", "less", "end"),
    )  # fmt: skip
    words = "each loss divided by the number of passes of an update"
    measures = True

    def offer(self, trace: Trace, finding: Finding) -> dict[str, Any] | None:
        """How many passes an update has."""
        counts = [
            len(update.backwards) for update in trace.updates()
            if update.step is not None and any(b.site.place == finding.site.place for b in update.backwards)
        ]  # fmt: skip
        return {"passes": max(set(counts), key=counts.count)} if counts else None

    def force(self, trial: Trial) -> Iterator[Any]:
        """Divide the root of each pass; its value as it was is taken down in both runs."""

        def around(run: Any, tensors: Any, *args: Any, **words: Any) -> Any:
            if isinstance(tensors, Tensor) and trial.at():
                with trial.quiet():
                    trial.record("whole", tensors.mean())
                trial.acted += 1
                if trial.live:
                    tensors = tensors / trial.facts["passes"]
            return run(tensors, *args, **words)

        yield passes(trial, around)


class ClippedBefore(Mend):
    """What is clipped after the step is clipped before it."""

    words = "the same clipping before each step"
    claims = (Claim("used", "the largest gradient that a step uses has a norm of", "less", "most"), LOSS)

    def offer(self, trace: Trace, finding: Finding) -> dict[str, Any] | None:
        """How it clips."""
        clips = [clip for clip in trace.of(Clip) if clip.site.place == finding.site.place]
        return {"how": clips[0].how, "most": clips[0].most} if clips else None

    def force(self, trial: Trial) -> Iterator[Any]:
        """Clip what the late clipping was last given; before it came, what the optimizer holds."""
        late: list[weakref.ref[Tensor]] = []
        clip = getattr(torch.nn.utils, f"clip_grad_{trial.facts['how']}_")

        def clips(run: Any, parameters: Any, *args: Any, **words: Any) -> Any:
            held = listed(parameters)
            if trial.recorder.awake and trial.at():
                late[:] = map(weakref.ref, held)
            return run(held, *args, **words)

        def before(one: Optimizer, args: Any, words: Any) -> None:
            held = holds(one)
            clipped = [p for p in (each() for each in late) if p is not None] or held
            if {id(p) for p in clipped} & {id(p) for p in held}:
                trial.acted += 1
                clip(clipped, trial.facts["most"])

        for place in (torch.nn.utils, clip_grad):
            yield replaced(place, f"clip_grad_{trial.facts['how']}_", clips)
        yield hooked(register_optimizer_step_pre_hook(before))


class Unscaled(Mend):
    """The scale is taken out of the gradients before they are clipped."""

    words = "scaler.unscale_(optimizer) before the clipping"
    claims = (Claim("used", "the gradient that a step uses has on average a norm of", "more", "mean"), LOSS)

    def offer(self, trace: Trace, finding: Finding) -> dict[str, Any] | None:
        """Only a GradScaler can be asked to; one that is kept by hand is the script's own arithmetic."""
        return {} if any(each.enabled for each in trace.of(Scaler)) else None

    def force(self, trial: Trial) -> Iterator[Any]:
        """Ask the scaler that scaled last, for the optimizers that hold what is clipped."""
        scalers: list[Any] = []
        makers = Makers()

        def scale(run: Any, scaler: Any, *args: Any, **words: Any) -> Any:
            scalers[:] = [scaler]
            return run(scaler, *args, **words)

        def clips(run: Any, parameters: Any, *args: Any, **words: Any) -> Any:
            held = listed(parameters)
            if trial.recorder.awake and trial.at() and scalers:
                mine = {id(p) for p in held}
                for optimizer in list(makers.places):
                    if any(id(p) in mine for p in holds(optimizer)):
                        trial.acted += 1
                        scalers[0].unscale_(optimizer)
            return run(held, *args, **words)

        yield makers.watches(trial)
        yield replaced(torch.amp.GradScaler, "scale", scale)
        for place in (torch.nn.utils, clip_grad):
            for how in ("norm", "value"):
                yield replaced(place, f"clip_grad_{how}_", clips)


class StateKept(Mend):
    """An optimizer that is built anew for the same parameters goes on with the state of the last one."""

    words = "the new optimizer going on with the state of the last one"
    silences = False  # it is built anew all the same
    claims = (Claim("step", "an update has on average a norm of", "other", "mean"), LOSS)

    def force(self, trial: Trial) -> Iterator[Any]:
        """Hand the state on."""
        last: list[Optimizer] = []

        def then(one: Optimizer) -> None:
            held = list(map(id, holds(one)))
            for old in last:
                if type(old) is type(one) and held == list(map(id, holds(old))):
                    trial.acted += 1
                    one.state = old.state
            last[:] = [one]

        yield Makers().watches(trial, then)


class Held(Mend):
    """Parameters that receive gradients and that no optimizer holds are given to one."""

    words = "these parameters given to the optimizer"
    measures = True
    claims = (Claim("moved", "they have moved by", "more", "last"), LOSS)

    def offer(self, trace: Trace, finding: Finding) -> dict[str, Any] | None:
        """The shapes of the parameters."""
        held = {n for event in trace.of(OptimizerMade) for group in event.groups for n in group["params"]}
        shapes = {leaf.shape for b in trace.backwards() for leaf in b.leaves if leaf.number not in held and leaf.after}
        return {"shapes": sorted(map(list, shapes))} if held and shapes else None

    def force(self, trial: Trial) -> Iterator[Any]:
        """Before a step, give the optimizer what the passes since the last one reached."""
        makers, chosen = Makers(), weakref.WeakSet[Optimizer]()
        strangers: dict[int, tuple[Tensor, Tensor]] = {}
        shapes = {tuple(shape) for shape in trial.facts["shapes"]}

        def around(run: Any, tensors: Any, *args: Any, **words: Any) -> Any:
            leaves = reached(listed(tensors))[0]
            found = run(tensors, *args, **words)
            held = {id(p) for one in makers.places for p in holds(one)}
            for leaf in leaves:
                wanted = isinstance(leaf, nn.Parameter) and tuple(leaf.shape) in shapes and id(leaf) not in strangers
                if wanted and id(leaf) not in held and leaf.grad is not None:
                    with trial.quiet():
                        strangers[id(leaf)] = leaf, leaf.detach().clone()
            return found

        def before(one: Optimizer, args: Any, words: Any) -> None:
            held = {id(p) for each in makers.places for p in holds(each)}
            fresh = [leaf for leaf, _ in strangers.values() if id(leaf) not in held]
            named = trial.place in makers.places.values() and makers.places.get(one) != trial.place
            if fresh and not named and (one in chosen or not chosen):
                trial.acted += 1
                chosen.add(one)
                if trial.live:
                    one.param_groups[0]["params"].extend(fresh)

        def after(one: Optimizer, args: Any, words: Any) -> None:
            with trial.quiet():
                gone = [
                    torch.linalg.vector_norm(leaf.detach().double() - old.double()) for leaf, old in strangers.values()
                ]
                if gone:
                    trial.record("moved", torch.stack(gone).norm())

        yield makers.watches(trial)
        yield passes(trial, around)
        yield hooked(register_optimizer_step_pre_hook(before))
        yield hooked(register_optimizer_step_post_hook(after))


class Rate(Mend):
    """The rate at which a first update changes the weights by about a thousandth of their norm, in powers of ten."""

    silences = False  # it may take more than one try

    def said(self, facts: dict[str, Any]) -> str:
        """The factor."""
        return f"{facts['factor']:g} times the rate"

    def offer(self, trace: Trace, finding: Finding) -> dict[str, Any] | None:
        """Only an optimizer's rate can be changed."""
        for pace in paces(trace):
            ratios = [stride.ratio for stride in pace.strides[:5] if stride.ratio > 0]
            if pace.made is not None and pace.made.site.place == finding.site.place and ratios:
                power = round(math.log10(WHOLE / median(ratios)))
                return {"factor": 10.0 ** (power or (-1 if "large" in finding.name else 1))}
        return None

    def force(self, trial: Trial) -> Iterator[Any]:
        """Change the rate where the optimizer is built."""

        def then(one: Optimizer) -> None:
            trial.acted += 1
            for group in one.param_groups:
                group["lr"] = group["lr"] * trial.facts["factor"]

        yield Makers().watches(trial, then)
