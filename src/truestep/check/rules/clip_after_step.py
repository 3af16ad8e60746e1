"""Gradients are clipped after the optimizer has used them.

What: `clip_grad_norm_` or `clip_grad_value_` runs after the step and before the next pass, on gradients that are then,
or already, cleared; nothing clips them between the backward pass and the step. Or gradients are scaled or clamped there
by hand; or the clipping is given no parameter at all.

Why: the step has already followed the whole gradient; the clipping changes numbers that nobody reads again.

Evidence: the order at each step, the norm that the clipping found and its limit, and the gradient that the step used.
By hand: that what was changed in place was cleared before anybody read it again.

False alarms: clipping with an endless limit measures the norm, wherever it stands. With several optimizers only the
one whose parameters are clipped counts. Momentum that is kept in `.grad` by hand is scaled there and not cleared.

Mend: clip between `backward()` and `step()`.

Wrong:
    loss.backward()
    optimizer.step()
    clip_grad_norm_(model.parameters(), 1.0)

Right:
    loss.backward()
    clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from truestep.check.changes import Backward, Clear, Clip, Step
from truestep.check.events import Op
from truestep.check.finding import Finding, Rule
from truestep.check.mends.updates import ClippedBefore
from truestep.check.rules import found
from truestep.check.rules._facts import stepping
from truestep.check.trace import Trace

RULE = Rule("TS113", "clip_after_step", "gradients are clipped after the step", "error", "updates")
MENDING = ClippedBefore()
OFTEN = 3
SCALES = {
    "mul_", "div_", "clamp_", "clip_", "clamp_min_", "clamp_max_", "_foreach_mul_", "_foreach_div_", "__imul__",
    "__itruediv__", "__idiv__",
}  # fmt: skip
MAKES = {"mul", "div", "clamp", "clip", "clamp_min", "clamp_max", "minimum", "maximum"}
MOVES = {"add_", "sub_", "addcmul_", "addcdiv_", "copy_", "lerp_", "__isub__", "__iadd__", "data="}
SHARES = MAKES | {"neg", "add", "sub", "clone", "detach"}  # what a gradient goes into on its way to a weight
VIEWS = {"__getitem__", "__setitem__", "view", "reshape", "flatten", "data", "detach"}  # of the same memory
HUGE = 1e4  # a limit that only measures


def look(trace: Trace) -> Iterator[Finding]:
    """Follow, for each optimizer, what lies between its pass, its step and the next pass."""
    yield from _by_hand(trace)
    yield from _of_nothing(trace)
    if not trace.of(Step):
        yield from _without(trace)
    for optimizer in stepping(trace, OFTEN):
        mine = trace.held(optimizer)
        late: list[tuple[Step, Clip]] = []
        steps, early = 0, 0
        stepped: Step | None = None
        clipped = passed = False
        for event in trace.of(Backward, Clip, Step):
            if isinstance(event, Backward):
                if event.how == "backward" and not event.nested:
                    stepped, passed = None, True
            elif isinstance(event, Clip) and mine & set(event.params):
                late += [(stepped, event)] if stepped is not None else []
                clipped, stepped = stepped is None and passed, None
            elif isinstance(event, Step) and event.optimizer == optimizer:
                steps, early, stepped, clipped = steps + 1, early + clipped, event, False
        norms = [clip.norm for _, clip in late if clip.norm is not None]
        acted = [norm for norm, (_, clip) in zip(norms, late, strict=False) if norm > clip.most]
        if len(late) < OFTEN or 2 * len(late) < steps or early or _measures(late, acted):
            continue
        step, clip = late[0]
        used = math.hypot(*(one.grad.norm for one in step.moved if one.grad is not None))
        told = f"; it found norms up to {max(norms):.3g} for a limit of {clip.most:g}" if norms else ""
        yield found(
            RULE,
            clip.site,
            "the gradients are clipped here, after the step has used them",
            f"{len(late)} of {steps} steps were followed by this clipping and preceded by none{told}; "
            f"the first step used a gradient of norm {used:.3g}",
            "the steps are not limited at all",
            "clip between backward() and step()",
        )


def _of_nothing(trace: Trace) -> Iterator[Finding]:
    """Clipping that is given no parameter at any call of its line, as by a generator that was read to its end."""
    lines: dict[tuple[str, int], list[Clip]] = {}
    for clip in trace.of(Clip):
        lines.setdefault(clip.site.place, []).append(clip)
    for clips in lines.values():
        if len(clips) >= OFTEN and not any(clip.params for clip in clips) and trace.updates_made:
            yield found(
                RULE,
                clips[0].site,
                "the clipping is given no parameter: it limits nothing",
                f"its list was empty at all {len(clips)} calls of this line; {trace.updates_made} updates were made",
                "model.parameters() is a generator: whoever reads it first leaves nothing for the next one",
                "ask for model.parameters() anew at each call, or keep list(model.parameters())",
                facts={"edit": True},
            )


def _without(trace: Trace) -> Iterator[Finding]:
    """Gradients that are clipped after weights were moved by them in place, without any optimizer, and then cleared."""
    gradients: set[int] = set()  # the memory of gradients
    weights: set[int] = set()
    moved: Op | None = None
    waiting: tuple[Op, Clip] | None = None
    late: list[tuple[Op, Clip]] = []
    passes, early, near = 0, 0, False
    for event in trace.of(Backward, Clip, Clear, Op):
        if isinstance(event, Backward):
            moved, waiting, passes, near = None, None, passes + event.close, event.close
            weights |= {leaf.storage for leaf in event.leaves}
        elif isinstance(event, Clip):
            early += near and event.close and moved is None
            waiting = (moved, event) if moved is not None else None
        elif isinstance(event, Clear):
            late += [waiting] if waiting is not None else []
            waiting = None
        elif event.name == "grad":
            gradients |= {each.storage for each in event.out}
            waiting = None if event.site.place == (moved.site.place if moved else None) else waiting  # used once more
        elif event.name in MOVES and event.inputs[0].storage in weights:
            moved = event if any(each.storage in gradients for each in event.inputs[1:]) else moved
        elif event.name in SHARES and any(each.storage in gradients for each in event.inputs):
            gradients |= {each.storage for each in event.out}
    acted = [clip.norm for _, clip in late if clip.norm is not None and clip.norm > clip.most]
    if len(late) >= OFTEN and 2 * len(late) >= passes and not early and not _measures(late, acted):
        move, clip = late[0]
        yield found(
            RULE,
            clip.site,
            "the gradients are clipped here, after the weights were moved by them",
            f"{len(late)} of {passes} passes were followed by {move.name} on the weights, on line {move.site.line}, by "
            "this clipping, and by the next clearing",
            "the steps are not limited at all",
            "clip between backward() and the update",
        )


def _measures(late: Sequence[tuple[object, Clip]], acted: list[float]) -> bool:
    """Whether the clipping only reads the norm."""
    return all(not math.isfinite(clip.most) or (clip.most >= HUGE and not acted) for _, clip in late)


def _by_hand(trace: Trace) -> Iterator[Finding]:
    """Gradients that are changed after weights were moved by them, in place or by setting them, and cleared unread."""
    seen = _Changes()
    late: dict[int, tuple[Step | Op, Op]] = {}  # by the pass's event
    latest = 0
    moved: set[int] = set()  # the passes that weights were moved by
    for event in trace.of(Backward, Clear, Step, Op):
        if isinstance(event, Step):
            seen.used |= {one.number: event for one in event.moved if one.grad is not None}
        elif isinstance(event, Backward):
            seen.begin(event)
            latest = event.n if all(root.values is None or root.values.finite for root in event.roots) else 0
        elif isinstance(event, Clear):
            for number, _ in event.held:
                if number in seen.changed and number in seen.used:
                    late.setdefault(latest, (seen.used[number], seen.changed.pop(number)))
        else:
            seen.take(event)
        moved |= {latest} if seen.used and latest else set()
    if len(late) >= OFTEN and 2 * len(late) >= len(moved) and not seen.early:
        use, op = next(iter(late.values()))
        by = "the step" if isinstance(use, Step) else f"line {use.site.line}"
        yield found(
            RULE,
            op.site,
            f"the gradients are changed here, after {by} has used them",
            f"{len(late)} of {len(moved)} steps were followed by {op.name} on gradients, which were then cleared "
            "unread; nothing changed them before a step",
            "the steps are not limited at all",
            "scale or clamp gradients between backward() and the update",
        )


class _Changes:
    """What calls make of gradients between a pass and the next one."""

    def __init__(self) -> None:
        self.gradients: dict[int, int] = {}  # a gradient's memory -> its parameter
        self.made: dict[int, tuple[int, Op]] = {}  # what was made of a gradient, by its number
        self.weights: dict[int, int] = {}  # a parameter's memory -> the parameter
        self.shares: set[int] = set()  # the memory of what gradients went into
        self.used: dict[int, Step | Op] = {}  # a parameter -> the step that used its gradient, until the next pass
        self.ever: set[int] = set()  # the parameters whose gradients were used in earlier passes
        self.changed: dict[int, Op] = {}
        self.early = 0

    def begin(self, event: Backward) -> None:
        """One more pass."""
        self.ever |= self.used.keys()
        self.used, self.changed, self.made = {}, {}, {}
        self.weights |= {leaf.storage: leaf.number for leaf in event.leaves}

    def take(self, op: Op) -> None:
        """One more call."""
        gradients = self.gradients
        if op.name == "grad" and op.inputs and op.out:
            gradients[op.out[0].storage] = op.inputs[0].number
        elif op.name == "grad=" and len(op.inputs) == 2:
            self._set(op.inputs[0].number, op)
        elif op.inputs:
            numbers = {gradients[each.storage] for each in op.inputs if each.storage in gradients}
            if op.name in VIEWS and len({each.storage for each in op.inputs}) == 1:
                return
            for number in numbers:
                self.changed.pop(number, None)  # whatever reads it
            if op.name in SCALES and op.inputs[0].storage in gradients:
                self.early += any(map(self._waits, numbers))
                self.changed |= dict.fromkeys(numbers, op)
                return
            self._move(op)
            if op.name in MAKES and op.out and len(numbers) == 1:
                self.made[op.out[0].number] = (numbers.pop(), op)

    def _waits(self, number: int) -> bool:
        """Whether a gradient is still to be used: one that nothing ever used is none."""
        return not self.used or (number in self.ever and number not in self.used)

    def _move(self, op: Op) -> None:
        """A weight may be moved by what a gradient went into, or a gradient goes into one thing more."""
        source = [each for each in op.inputs if each.storage in self.gradients or each.storage in self.shares]
        number = self.weights.get(op.inputs[0].storage)
        if op.name in MOVES and number is not None and source:
            self.used[number] = op
        elif op.name in SHARES and source:
            self.shares |= {each.storage for each in op.out}

    def _set(self, number: int, op: Op) -> None:
        """A parameter is given a gradient: one made of its own, or, as after `p.grad *= x`, the one that it has."""
        source, made = self.made.get(op.inputs[1].number, (0, op))
        if source == number:
            self.early += self._waits(number)
            self.changed[number] = made
        elif self.gradients.get(op.inputs[1].storage) != number:
            self.changed.pop(number, None)
