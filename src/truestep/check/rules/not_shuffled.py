"""The training data are sorted by class and come in that order.

What: batch after batch holds a single class, first all of the first class, then all of the next, in every epoch.

Why: each stretch teaches the model to answer with the class at hand and to forget the others; what it has learned at
the end of an epoch leans to the last class.

Evidence: the targets of the losses: most batches hold one value, the stretches of equal batches follow one another in
the same order, epoch after epoch.

False alarms: one batch of real and one of forged samples alternate in a GAN, with stretches of a single batch; that is
no finding. Time series in order have no classes.

Mend: `shuffle=True`, or a fresh permutation for inputs and labels alike at each epoch.

Wrong:
    loader = DataLoader(sorted_by_class, batch_size=32)

Right:
    loader = DataLoader(sorted_by_class, batch_size=32, shuffle=True)
"""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.changes import Backward
from truestep.check.events import Batch, Event, LoaderMade, Op
from truestep.check.finding import Finding, Rule
from truestep.check.rules import found
from truestep.check.trace import LOSSES, Trace

RULE = Rule("TS471", "not_shuffled", "sorted data without shuffling", "error", "data")


def look(trace: Trace) -> Iterator[Finding]:
    """Follow the targets from one backward pass to the next."""
    labels = _labels(trace)
    pure = [(label, event) for label, event in labels if label is not None]
    if len(pure) < 0.7 * len(labels) or len(pure) < 8:
        return
    stretches: list[tuple[float, int]] = []
    for label, _ in pure:
        if stretches and stretches[-1][0] == label:
            stretches[-1] = (label, stretches[-1][1] + 1)
        else:
            stretches.append((label, 1))
    classes = len({label for label, _ in stretches})
    order = [label for label, _ in stretches]
    cycles = all(order[at] == order[at % classes] for at in range(len(order))) and len(set(order[:classes])) == classes
    long = len(pure) / len(stretches)
    if classes < 2 or len(order) < 2 * classes or not cycles or long < (3 if classes == 2 else 2):
        return
    event = pure[0][1]
    batches = [batch for batch in trace.of(Batch) if batch.n < event.n]
    made = {loader.loader: loader for loader in trace.of(LoaderMade)}
    loader = made.get(batches[-1].loader) if batches and batches[-1].update == event.update else None
    told = ", ".join(f"{label:g} ({number} batches)" for label, number in stretches[: min(classes, 4)])
    yield found(
        RULE,
        loader.site if loader else event.site,
        f"{classes} classes come one after another, not mixed",
        f"{len(pure)} of {len(labels)} batches hold one class only, in the order {told}, "
        f"{len(order) // classes} times over",
        "each stretch teaches one answer, and the model forgets the others",
        "shuffle: shuffle=True in the loader, or one fresh permutation of inputs and labels at each epoch",
    )


def _labels(trace: Trace) -> list[tuple[float | None, Event]]:
    """For each backward pass the one class of its batch, None for several; with the loss that showed it."""
    found: list[tuple[float | None, Event]] = []
    low, high, whole, last = float("inf"), float("-inf"), True, None
    for event in trace.of(Op, Backward):
        if isinstance(event, Op) and event.name in LOSSES and len(event.inputs) > 1 and event.inputs[0].needs_grad:
            values = event.inputs[1].values
            if values is None or event.inputs[1].shape[:1] == (1,):
                whole = False
            else:
                low, high, whole = min(low, values.low), max(high, values.high), whole and values.whole
            last = event
        elif isinstance(event, Backward) and event.how == "backward" and not event.nested:
            if last is not None and whole:
                found.append((low if low == high else None, last))
            low, high, whole, last = float("inf"), float("-inf"), True, None
    return found
