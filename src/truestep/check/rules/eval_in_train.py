"""The model is evaluated in train mode.

What: a trained model with dropout or batch normalisation is run in train mode, no update comes from it, and numbers
are read from its output: a score, a validation loss, a prediction. So are a frozen part whose features a trained model
is given, and an average of a model's weights. And a teacher, trained or loaded, never changed, whose outputs another
model is trained towards.

Why: dropout makes the score that of a crippled network, different at each call; batch normalisation uses the
statistics of the batch at hand, so that a prediction depends on its neighbours, and even learns from the test data.

Evidence: the mode of the model and of those layers at forward passes whose output ended in numbers and in no update;
also where `training` of the model alone was set to False, and every part that ran in it is in train mode.

False alarms: what flows on into training (pseudo-labels, targets, the fake images of a generator), the batch just
trained on (but for other rows of it, as the nodes of a graph), the same inputs run several times (Monte Carlo dropout),
and passes whose output nobody reads (renewing the statistics of batch normalisation) are no findings. Nor are the
pictures of a generator: a model that learned from nothing but noise drawn anew at each pass, by torch or, where another
model judges what it gives, by numpy, with or without a label beside it, and whose output is compared with nothing, or
in the mean alone; nor teachers that move, or that were put in train mode after their own training; nor a comparison,
where the same rows run in either mode each time; nor the last pass of a run that broke off.

Mend: `model.eval()` before the evaluation, and `model.train()` at the start of the next epoch.

Wrong:
    with torch.no_grad():
        accuracy = (model(x).argmax(1) == y).float().mean().item()

Right:
    model.eval()
    with torch.no_grad():
        accuracy = (model(x).argmax(1) == y).float().mean().item()
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from truestep.check.events import Forward, Mode, Op
from truestep.check.finding import Finding, Rule
from truestep.check.mends.modes import InEval
from truestep.check.rules import found
from truestep.check.rules._chains import statement
from truestep.check.rules._evaluations import Call, evaluated
from truestep.check.rules._facts import moments
from truestep.check.rules._modes import RECURRENT, by_mode
from truestep.check.rules._outside_modules import Drop, outside
from truestep.check.rules._teachers import teachers
from truestep.check.rules._words import plural
from truestep.check.trace import Trace

RULE = Rule("TS542", "eval_in_train", "evaluating in train mode", "error", "modes")
MENDING = InEval()


def look(trace: Trace) -> Iterator[Finding]:
    """Look at forward passes in train mode that only numbers were made of, and at those of teachers."""
    known = list(_calls(trace))
    yield from _teaching(trace, known)
    yield from _layers(trace)
    for calls in evaluated(trace, known):
        event, layer = calls[0]
        if _compared(trace, calls):
            continue
        yield found(
            RULE,
            event.site,
            f"{event.kind} is evaluated in train mode",
            f"{plural(len(calls), 'pass', 'passes')} that were looked at ran in train mode, with {layer} at work; "
            "their output ended in numbers and in no update"
            + ("" if event.training else ": `training` of the model is False, but nothing told its parts"),
            "dropout makes every score that of a crippled network, and batch normalisation uses and learns the "
            "statistics of the batch at hand",
            "call model.eval() before the evaluation and model.train() before the next epoch",
        )


def _teaching(trace: Trace, known: list[Call]) -> Iterator[Finding]:
    for calls in teachers(trace, known):
        event, layer = calls[0]
        yield found(
            RULE,
            event.site,
            f"{event.kind} teaches in train mode",
            f"{plural(len(calls), 'pass', 'passes')} that were looked at ran in train mode, with {layer} at work; "
            "its weights never changed meanwhile, and what it gave is what another model was trained towards",
            "dropout makes another target of the same input at each call, and batch normalisation one that depends "
            "on its neighbours",
            "call eval() on the teacher before it teaches",
            "warning",
        )


def _layers(trace: Trace) -> Iterator[Finding]:
    """Layers in train mode that a method beside `forward` calls, one after the other, in evaluation."""
    seen = [event for event in trace.of(Forward) if event.training and event.close and event.inputs]
    kinds = {number for number, facts in trace.modules.items() if by_mode(facts)}
    layers = {event.n: event for event in seen if event.module in kinds}
    drops = (
        Drop(each.began, each.n, each.site, each.module, each.inputs[0], each.outputs, each.grad, each.depth == 0)
        for each in layers.values()
    )
    for calls in outside(trace, drops):
        name = trace.name(layers[calls[0].n].module)
        yield found(
            RULE,
            calls[0].site,
            f"{name} is in train mode in an evaluation",
            f"{plural(len(calls), 'call')} of it without gradients, beside every forward; what came of "
            f"{'it' if len(calls) == 1 else 'them'} was read as numbers",
            "dropout makes every score that of a crippled network, and batch normalisation uses and learns the "
            "statistics of the batch at hand",
            "call model.eval() before the evaluation and model.train() before the next epoch",
        )
        return


def _compared(trace: Trace, calls: list[Call]) -> bool:
    """Whether a line, each time that it was reached, ran the same rows in eval mode too: to see what the mode does."""
    place, when = calls[0].event.site.place, moments(trace)
    own = {call.event.n for call in calls}
    there = [each for each in trace.of(Forward) if each.site.place == place and each.close and each.n not in own]
    other = [each for each in there if not each.training]
    rows = [{each.inputs[0].rows for each in events if each.inputs} for events in ([c.event for c in calls], other)]
    times = [{(each.module, when(each.n)) for each in events} for events in ([c.event for c in calls], other)]
    return times[0] <= times[1] and any(rows[0] & rows[1])


def _calls(trace: Trace) -> Iterator[Call]:
    layers: list[tuple[int, str]] = []
    parts: list[tuple[int, bool]] = []
    told: dict[int, bool] = {}
    updates = trace.updates()
    last = updates[-1].at.n if trace.broken and updates else 0 if trace.broken else math.inf
    for event in trace.of(Op, Forward, Mode):
        if isinstance(event, Mode):
            told[event.module] = event.training
            continue
        if isinstance(event, Op):
            if _by_mode(event):
                layers.append((event.n, f"dropout on line {event.site.line}"))
            continue
        facts = trace.modules.get(event.module)
        if event.training and (event.depth or event.kind in RECURRENT) and facts is not None and by_mode(facts):
            layers.append((event.n, f"{trace.name(event.module)} ({event.kind})"))
        if event.depth:
            parts.append((event.n, event.training))
        else:
            inside = [layer for n, layer in layers if n > event.began]
            modes = [training for n, training in parts if n > event.began]
            layers.clear()
            parts.clear()
            # `model.training = False` reaches no part: those of a model that eval() was called on may be meant
            training = event.training or (bool(modes) and all(modes) and told.get(event.module, True))
            if training and event.close and inside and (event.n <= last or not event.grad):
                yield Call(event, inside[0])


def _by_mode(op: Op) -> bool:
    """Whether this is a functional dropout that drops, and would not in eval mode."""
    drops = op.name == "dropout" and op.arg(2, "training", True) is True and bool(op.arg(1, "p", 0.5))
    return drops and "self.training" in statement(op.site)
