"""The model is trained in eval mode.

What: a forward pass in eval mode, of a model with dropout or batch normalisation, is followed by a backward pass and
an update of that model's weights.

Why: dropout drops nothing and batch normalisation uses and keeps its old statistics: what was designed to be trained
is not.

Evidence: the mode of the model and of its layers at the forward passes that updates came from.

False alarms: batch normalisation that is frozen, weights and all, may keep its statistics too, whether it is set to
eval by itself or with the whole model, and attacks on an input move no weights. Neither is a finding. A part with
dropout that was put in eval mode before the training, when nobody ever called `train()`, is worth a word of advice.

Mend: `model.train()` at the start of each training epoch, behind the evaluation.

Wrong:
    model.train()
    for epoch in range(epochs):
        train(model)
        evaluate(model)          # calls model.eval()

Right:
    for epoch in range(epochs):
        model.train()
        train(model)
        evaluate(model)
"""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.changes import Backward, Clear, Step
from truestep.check.events import Forward, Mode, Op
from truestep.check.finding import Finding, Rule
from truestep.check.mends.modes import InTrain
from truestep.check.rules import found
from truestep.check.rules._chains import reaches
from truestep.check.rules._modes import asking, by_mode
from truestep.check.trace import Trace, Update

RULE = Rule("TS501", "train_in_eval", "training in eval mode", "error", "modes")
MENDING = InTrain()
OFTEN, LINGER = 3, 4  # updates


def look(trace: Trace) -> Iterator[Finding]:
    """Look at the mode of the forward passes behind each update."""
    calls: dict[int, list[tuple[Forward, str]]] = {}
    trained: dict[int, int] = {}
    still = [op for op in trace.ops("dropout") if op.arg(2, "training", True) is False and op.arg(1, "p", 0.5)]
    forwards = [event for event in trace.of(Forward) if event.depth == 0 and event.grad and event.close]
    yield from _parts(trace, forwards)
    place, kinds = 0, asking(trace)
    live = trace.trained
    waiting: list[Forward] = []  # several models may run, and losses be differentiated, before the first optimizer
    recent: list[Backward] = []  # steps
    for update in trace.updates():
        if update.step is None or update.step.nested:
            continue
        moved = {one.number for one in update.step.moved if one.change > 0}
        recent = [each for each in recent if update.step.update - each.update < LINGER] + [*update.backwards]
        passes = _kept(trace, recent, update, moved)
        reached = {leaf.number for each in passes for leaf in each.leaves} & moved
        roots = {root.number for each in passes for root in each.roots}
        while place < len(forwards) and forwards[place].n < update.step.n:
            waiting.append(forwards[place])
            place += 1
        now = [event for event in waiting if _holds(trace, event, reached)]
        waiting = [event for event in waiting if event not in now and update.step.update - event.update < LINGER]
        for event in now:
            trained[event.module] = trained.get(event.module, 0) + 1
            layer = _layer(trace, event, kinds, live) or _call(still, event)
            if not event.training and layer and reaches(trace, event.outputs, event.n)[1] & roots:
                calls.setdefault(event.module, []).append((event, layer))
    for module, wrong in calls.items():
        if len(wrong) >= OFTEN:
            event, layer = wrong[0]
            switch = [m for m in trace.of(Mode) if m.n < event.n and not m.training]
            yield found(
                RULE,
                (switch[-1] if switch else event).site,
                f"{event.kind} is in eval mode while it is trained on line {event.site.line}",
                f"{len(wrong)} of {trained[module]} training passes that were looked at ran in eval mode, with {layer}",
                "dropout drops nothing, and batch normalisation neither uses nor learns the statistics of the batches",
                "call model.train() at the start of every training epoch, behind the evaluation",
            )


def _holds(trace: Trace, event: Forward, reached: set[int]) -> bool:
    facts = trace.modules.get(event.module)
    return facts is not None and bool(reached & set(facts.parameters.values()))


def _kept(trace: Trace, recent: list[Backward], update: Update, moved: set[int]) -> list[Backward]:
    """The passes whose gradients an update used: not those of an attack on the input, whose gradients were cleared."""
    passes = [each for each in recent if each.how == "backward"]
    clears = trace.between(passes[0].n, update.at.n, Clear) if passes else ()
    last = max((event.n for event in clears if moved & {number for number, _ in event.held}), default=0)
    return [each for each in passes if each.n > last]


def _parts(trace: Trace, calls: list[Forward]) -> Iterator[Finding]:
    """Parts with dropout that were put in eval mode once, and that a model in train mode trains so."""
    last = {event.module: event for event in trace.of(Mode)}
    moved = {one.number for step in trace.of(Step) for one in step.moved if one.change > 0}
    for event in last.values():
        facts = trace.modules.get(event.module)
        if event.training or facts is None or not moved & set(facts.parameters.values()):
            continue
        if any(mode.training for mode in trace.of(Mode) if mode.n > event.n):
            continue
        drops = {number for number in _below(trace, event.module) if "Dropout" in trace.modules[number].kind}
        inside = [call for call in trace.of(Forward) if call.module in drops and call.depth and not call.training]
        behind = [call for call in inside if call.grad and by_mode(trace.modules[call.module])]
        roots = [call for call in calls if call.training and any(call.began < each.n < call.n for each in behind)]
        if len(roots) >= OFTEN:
            yield found(
                RULE,
                event.site,
                f"{trace.name(event.module)} is put in eval mode here and trained so, inside {roots[0].kind}",
                f"its dropout dropped nothing in {len(roots)} training passes looked at; train() was not called since",
                "what is loaded for inference often comes in eval mode; fine-tuning wants its dropout",
                "call model.train() before the training, unless this part is to be trained without dropout",
                "advice",
            )


def _below(trace: Trace, root: int) -> set[int]:
    known, waiting = {root}, [root]
    while waiting:
        fresh = {number for number in trace.modules[waiting.pop()].children.values() if number in trace.modules} - known
        known |= fresh
        waiting += fresh
    return known


def _call(still: list[Op], root: Forward) -> str:
    """A dropout that was told inside this forward to drop nothing."""
    inside = [op for op in still if root.began < op.n < root.n]
    return f"dropout on line {inside[0].site.line}" if inside else ""


def _layer(trace: Trace, root: Forward, kinds: set[str], live: set[int]) -> str:
    """A layer below whose work depends on the mode, in eval mode too; of the user's own those of these `kinds`.

    A batch normalisation whose weights are frozen, of which none is `live`, keeps its statistics with them.
    """
    waiting = [root.module]
    while waiting:
        number = waiting.pop()
        facts = trace.modules.get(number)
        if facts is None:
            continue
        own = set(facts.parameters.values())
        frozen = "BatchNorm" in facts.kind and bool(own) and not own & live
        if not frozen and (by_mode(facts) or (facts.kind in kinds and not facts.torch)):
            return f"{trace.name(number)} ({facts.kind})"
        waiting += facts.children.values()
    return ""
