"""The model is trained in eval mode.

What: a forward pass in eval mode, of a model with dropout or batch normalisation, is followed by a backward pass and
an update of that model's weights.

Why: dropout drops nothing and batch normalisation uses and keeps its old statistics: what was designed to be trained
is not.

Evidence: the mode of the model and of its layers at the forward passes that updates came from.

False alarms: frozen batch normalisation is set to eval layer by layer while the model itself stays in train mode, and
attacks on an input move no weights. Neither is a finding.

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

from truestep.check.events import Forward, Mode
from truestep.check.finding import Finding, Rule
from truestep.check.mends.modes import InTrain
from truestep.check.rules import found
from truestep.check.trace import Trace

RULE = Rule("TS501", "train_in_eval", "training in eval mode", "error", "modes")
MENDING = InTrain()
OFTEN = 3


def look(trace: Trace) -> Iterator[Finding]:
    """Look at the mode of the forward passes behind each update."""
    calls: dict[int, list[tuple[Forward, str]]] = {}
    trained: dict[int, int] = {}
    forwards = [event for event in trace.of(Forward) if event.depth == 0 and event.grad and event.close]
    place = 0
    for update in trace.updates():
        if update.step is None or update.step.nested:
            continue
        moved = {one.number for one in update.step.moved if one.change > 0}
        reached = {leaf.number for each in update.backwards for leaf in each.leaves} & moved
        while place < len(forwards) and forwards[place].n < update.step.n:
            event, place = forwards[place], place + 1
            facts = trace.modules.get(event.module)
            if facts is not None and reached & set(facts.parameters.values()):
                trained[event.module] = trained.get(event.module, 0) + 1
                layer = _layer(trace, event)
                if not event.training and layer:
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


def _layer(trace: Trace, root: Forward) -> str:
    """A layer below whose work depends on the mode, in eval mode too."""
    waiting = [root.module]
    while waiting:
        number = waiting.pop()
        facts = trace.modules.get(number)
        if facts is None:
            continue
        drops = "Dropout" in facts.kind and facts.settings.get("p", 0) > 0
        norms = "BatchNorm" in facts.kind and facts.settings.get("track_running_stats")
        if drops or norms:
            return f"{trace.name(number)} ({facts.kind})"
        waiting += facts.children.values()
    return ""
