"""The best model is chosen by the loss of a single training batch.

What: the number that is compared with the best one is the loss of the batch that was just trained on.

Why: an easy batch wins. The loss of one batch says little about the model, and nothing about data it has not seen.

Evidence: the compared number was read from the very tensor that a backward pass started from, models were kept by it,
and the batches of the run differ.

False alarms: with one batch that is all the data the loss is that of the training set, and that is no finding.

Mend: compare the loss over the validation set, once an epoch.

Wrong:
    if loss.item() < best_loss:
        best_loss, best_model = loss.item(), copy.deepcopy(model)

Right:
    val_loss = evaluate(model, val_loader)
    if val_loss < best_loss:
        best_loss, best_model = val_loss, copy.deepcopy(model)
"""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.events import Event, Forward, Number, Op
from truestep.check.finding import Finding, Rule
from truestep.check.rules import found
from truestep.check.rules._guards import Guard, at, guards, kept, worth
from truestep.check.trace import Trace

RULE = Rule("TS678", "selected_by_batch", "the best model is chosen by a batch's loss", "warning", "reporting")


def look(trace: Trace) -> Iterator[Finding]:
    """Find the tensor behind each compared number."""
    roots = {root.number for event in trace.backwards() for root in event.roots}
    batches = {frozenset(event.inputs[0].rows) for event in trace.of(Forward)
               if event.depth == 0 and event.grad and event.inputs and event.inputs[0].rows}  # fmt: skip
    if len(batches) < 2:
        return
    for guard in guards(trace):
        events = kept(trace, guard) if guard.sets else []
        read = [number for event in events if (number := _read(trace, guard, event, roots)) is not None]
        if len(read) >= 2 and len(read) == len(events):
            yield found(
                RULE,
                guard.site,
                "the best model is chosen by the loss of one training batch",
                f"the {len(read)} models that were kept were compared by {read[0]:.4g} ... {read[-1]:.4g}, each read "
                f"from the root of a backward pass; {len(batches)} different batches were trained on",
                "an easy batch wins, and data that the model has not seen have no say",
                "compare the loss over the validation set, once an epoch",
            )


def _read(trace: Trace, guard: Guard, event: Event, roots: set[int]) -> float | None:
    """The number that was compared when a model was kept, if it is the loss of a trained batch."""
    for other in reversed(trace.of(Number, Op)):
        if other.n > event.n or other.site.place != guard.site.place:
            continue
        if isinstance(other, Op):
            if other.name in ("lt", "gt", "le", "ge") and any(each.number in roots for each in other.inputs):
                return 0.0
        elif other.value is not None and other.how != "__bool__":
            return other.value if other.of.number in roots else None
    names = at(trace, event)
    value = None if names is None else worth(names, guard.value)
    if value is None:
        return None
    last = [number for number in trace.of(Number) if number.value == value and number.n < event.n]
    return value if last and last[-1].of.number in roots else None
