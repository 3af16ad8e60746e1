"""The model is evaluated in train mode.

What: a trained model with dropout or batch normalisation is run in train mode, no update comes from it, and numbers
are read from its output: a score, a validation loss, a prediction.

Why: dropout makes the score that of a crippled network, different at each call; batch normalisation uses the
statistics of the batch at hand, so that a prediction depends on its neighbours, and even learns from the test data.

Evidence: the mode of the model and of those layers at forward passes whose output ended in numbers and in no update.

False alarms: what flows on into training (pseudo-labels, targets, the fake images of a generator), the batch just
trained on, the same inputs run several times (Monte Carlo dropout), and passes whose output nobody reads (renewing the
statistics of batch normalisation) are no findings. Nor are the pictures of a generator: a model that learned from
nothing but noise drawn anew at each pass, and whose output is compared with nothing.

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

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from truestep.check.changes import Backward
from truestep.check.events import Forward, Number, Op
from truestep.check.finding import Finding, Rule
from truestep.check.mends.modes import InEval
from truestep.check.rules import found
from truestep.check.rules._chains import origin, reaches, statement
from truestep.check.rules._modes import RECURRENT, by_mode
from truestep.check.trace import LOSSES, Trace

RULE = Rule("TS542", "eval_in_train", "evaluating in train mode", "error", "modes")
MENDING = InEval()
COMPARES = LOSSES | {"eq", "ne", "sub", "dist", "cdist", "cosine_similarity"}
DRAWS = {"randn", "rand", "randn_like", "rand_like", "normal", "normal_", "uniform_"}
READ = {"item", "tolist", "__float__", "numpy", "__format__", "__array__"}


class Call(NamedTuple):
    """A forward by the user's code in train mode, with a layer inside that the mode matters to."""

    event: Forward
    layer: str


def look(trace: Trace) -> Iterator[Finding]:
    """Look at forward passes in train mode that only numbers were made of."""
    read = {number.of.number for number in trace.of(Number) if number.how in READ}
    roots = {root.number for event in trace.of(Backward) for root in event.roots}
    trained = trace.trained
    lines: dict[tuple[str, int], list[Call]] = defaultdict(list)
    learned: dict[int, tuple[int, ...]] = {}
    fed: dict[int, set[int]] = defaultdict(set)
    seen: dict[tuple[int, int, tuple[int, ...]], int] = defaultdict(int)
    for call in _calls(trace):
        event = call.event
        facts = trace.modules.get(event.module)
        rows = event.inputs[0].rows if event.inputs else ()
        if facts is None or not trained & set(facts.parameters.values()):
            continue
        ops, numbers = reaches(trace, event.outputs, event.n)
        if (event.grad and numbers & roots) or any(out.needs_grad for op in ops for out in op.out if not event.grad):
            learned[event.module] = rows
            fed[event.module].add(_draw(trace, event))
        elif event.update and numbers & read and (not rows or learned.get(event.module) != rows):
            seen[event.module, event.update, rows] += 1
            lines[event.site.place].append(call)
    for calls in lines.values():
        repeated = any(
            seen[c.event.module, c.event.update, c.event.inputs[0].rows] > 1 for c in calls if c.event.inputs
        )
        event, layer = calls[0]
        if not repeated and not (_noise(fed[event.module]) and not any(_scored(trace, c.event) for c in calls)):
            yield found(
                RULE,
                event.site,
                f"{event.kind} is evaluated in train mode",
                f"{len(calls)} passes that were looked at ran in train mode, with {layer} at work; their output ended "
                "in numbers and in no update",
                "dropout makes every score that of a crippled network, and batch normalisation uses and learns the "
                "statistics of the batch at hand",
                "call model.eval() before the evaluation and model.train() before the next epoch",
            )


def _draw(trace: Trace, event: Forward) -> int:
    """The call that drew what a model was fed with; 0 where it was not drawn."""
    op = origin(trace, event.inputs[0], event.n) if event.inputs else None
    return op.n if op is not None and op.name in DRAWS else 0


def _noise(draws: set[int]) -> bool:
    """Whether a model learned from noise alone, drawn anew."""
    return len(draws) > 1 and 0 not in draws


def _scored(trace: Trace, event: Forward) -> bool:
    """Whether what a model gave was compared with anything else."""
    ops, numbers = reaches(trace, event.outputs, event.n)
    return any(
        op.name in COMPARES and any(each.number not in numbers and each.shape for each in op.inputs) for op in ops
    )


def _calls(trace: Trace) -> Iterator[Call]:
    layers: list[tuple[int, str]] = []
    for event in trace.of(Op, Forward):
        if isinstance(event, Op):
            if _by_mode(event):
                layers.append((event.n, f"dropout on line {event.site.line}"))
            continue
        facts = trace.modules.get(event.module)
        if event.training and (event.depth or event.kind in RECURRENT) and facts is not None and by_mode(facts):
            layers.append((event.n, f"{trace.name(event.module)} ({event.kind})"))
        if event.depth == 0:
            inside = [layer for n, layer in layers if n > event.began]
            layers.clear()
            if event.training and event.close and inside:
                yield Call(event, inside[0])


def _by_mode(op: Op) -> bool:
    """Whether this is a functional dropout that drops, and would not in eval mode."""
    drops = op.name == "dropout" and op.arg(2, "training", True) is True and bool(op.arg(1, "p", 0.5))
    return drops and "self.training" in statement(op.site)
