"""The best model is chosen by the loss of a single training batch.

What: the number that is compared with the best one is the loss, or the accuracy, of the batch just trained on, or of
the last one of several that a validation set was cut into.

Why: an easy batch wins. The loss of one batch says little about the model, and nothing about data it has not seen.

Evidence: the compared number was read from the very tensor that a backward pass started from, or from the outputs that
it went through, models were kept by it, and the batches of the run differ. Or it was read from what the model gave for
the last batch of a pass over a loader, each time that a model was kept.

False alarms: where each update is given all the data, in one batch or in several calls, the loss is that of the
training set, and that is no finding.

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

from collections import defaultdict
from collections.abc import Iterator

from truestep.check.events import Event, Forward, Number
from truestep.check.finding import Finding, Rule
from truestep.check.looks import Seen
from truestep.check.rules import found
from truestep.check.rules._guards import Guard, guards, kept, pair
from truestep.check.rules._last_batch import ends_of_passes
from truestep.check.rules._readings import near
from truestep.check.rules._scored import pairs, scores
from truestep.check.site import Site
from truestep.check.trace import Trace

RULE = Rule("TS678", "selected_by_batch", "the best model is chosen by a batch's loss", "warning", "reporting")
JOINS = {"stack", "cat", "add", "add_", "__iadd__", "maximum", "minimum", "where"}
"""What is made of several batches is no figure of one."""


def look(trace: Trace) -> Iterator[Finding]:
    """Find the tensor behind each compared number."""
    batches = _batches(trace)
    if not batches:
        return
    read = _Read(trace)
    for guard in guards(trace):
        events = kept(trace, guard) if guard.sets else []
        values = [value for event in events if (value := read.value(guard, event)) is not None]
        last = [] if values else [value for event in events if (value := read.last(guard, event)) is not None]
        if max(len(values), len(last)) >= 2 and max(len(values), len(last)) == len(events):
            told = values or last
            yield found(
                RULE,
                guard.site,
                f"the best model is chosen by a figure of one {'training' if values else 'validation'} batch",
                f"the {len(told)} models that were kept were compared by {told[0]:.4g} ... {told[-1]:.4g}, each "
                + (
                    f"read from the batch that was just trained on; {batches} different batches were trained on"
                    if values
                    else "read from the last of the batches that a pass over a loader gave"
                ),
                "an easy batch wins, and data that the model has not seen have no say",
                "compare the loss over the validation set, once an epoch",
            )


def _batches(trace: Trace) -> int:
    """How many different batches were trained on; 0 where each update was given all that another one was.

    A model may be called for several things in each update, as for the edge and the inside of a domain.
    """
    lines: dict[Site, dict[int, set[frozenset[int]]]] = defaultdict(lambda: defaultdict(set))
    for event in trace.of(Forward):
        if event.depth == 0 and event.grad and event.inputs and event.inputs[0].rows:
            lines[event.site][event.update].add(frozenset(event.inputs[0].rows))
    differ = any(len({frozenset(rows) for rows in updates.values()}) > 1 for updates in lines.values())
    return len({rows for updates in lines.values() for each in updates.values() for rows in each}) if differ else 0


class _Read:
    """The numbers that were read from the very batch that is trained on: the loss, or what its outputs say."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._roots = {root.number for event in trace.backwards() for root in event.roots}
        self._outputs = {
            out.number for event in trace.of(Forward) if event.grad and event.training and event.depth == 0
            for out in event.outputs
        }  # fmt: skip
        self._ends = ends_of_passes(trace)
        self._numbers = trace.of(Number)
        told: dict[tuple[str, int], set[bool]] = {}
        for number in self._numbers:
            if number.close and number.value is not None:
                told.setdefault(number.site.place, set()).add(self._trained(number.of, number.n))
        self._lines = {place for place, kinds in told.items() if kinds == {True}}

    def value(self, guard: Guard, event: Event) -> float | None:
        """The number that was compared when a model was kept, if it is one of those; 0 for a tensor's comparison."""
        for op in reversed(self._trace.ops("lt", "gt", "le", "ge")):
            if op.n < event.n and op.site.place == guard.site.place:
                return 0.0 if any(each.number in self._roots for each in op.inputs) else None
        value = pair(self._trace, event, guard)[0]
        if value is None:
            here = (
                each for each in reversed(self._numbers) if each.n < event.n and each.site.place == guard.site.place
            )
            value = next((each.value for each in here if each.how != "__bool__"), None)
        if value is not None and self._scored(value, event.n):
            return value
        last = [number for number in self._numbers if number.value == value and number.n < event.n]
        if not last or not (last[-1].of.number in self._roots or last[-1].site.place in self._lines):
            return None
        later = (each for each in self._numbers if last[-1].n < each.n < event.n)
        return None if any(each.site.place == last[-1].site.place for each in later) else value

    def last(self, guard: Guard, event: Event) -> float | None:
        """The number that was compared when a model was kept, if it is the last batch's of several."""
        value = pair(self._trace, event, guard)[0]
        read = [(number.of, number.n) for number in self._numbers if number.value == value and number.n < event.n]
        compared = (
            (each, op.n) for op in self._trace.ops("lt", "gt", "le", "ge") for each in op.inputs
            if op.n < event.n and op.update == event.update and op.site.place == guard.site.place
        )  # fmt: skip
        one = (read or [*compared])[-1:]
        ways = (way for seen, n in one for way in self._trace.back([seen], n, 12, lambda op, _: op.name not in JOINS))
        return value if any(seen.number in self._ends for seen, _ in ways) else None

    def _scored(self, value: float, before: int) -> bool:
        """Whether a value is the score of arrays that were read of one training batch's outputs, and of no other."""
        told = [
            pair for pair in pairs(self._trace) if pair.n < before
            and any(near(value, part * score) for _, _, score in scores(pair) for part in (1, 100))
        ]  # fmt: skip
        return bool(told) and not told[-1].several and all(pair.call.grad and pair.call.training for pair in told)

    def _trained(self, tensor: Seen, before: int) -> bool:
        """Whether a tensor is the root of a backward pass, or made of the outputs of a forward that was trained."""
        way = self._trace.back([tensor], before, 12, along=lambda op, each: op.name not in JOINS)
        return any(seen.number in self._roots or seen.number in self._outputs for seen, _ in way)
