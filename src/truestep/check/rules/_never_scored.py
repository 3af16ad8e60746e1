"""Programs whose scores are all of trained rows, with a part cut from the same data that nothing ever touched."""

from __future__ import annotations

from truestep.check.events import Names
from truestep.check.rules._batches import split
from truestep.check.rules._facts import complete
from truestep.check.rules._held import array_left, cut_off
from truestep.check.rules._rows import scored, telling
from truestep.check.site import Site
from truestep.check.trace import Trace


def never_scored(trace: Trace) -> tuple[Site, str] | None:
    """Where trained rows are scored last in a whole program, and what tells that others were there and left alone."""
    last = next((names for names in reversed(trace.of(Names)) if names.when == "end"), None)
    trained, others = split(trace)
    given = {row for call in trained if call.inputs for row in call.inputs[0].rows}
    told = [call for call in others if call.inputs and call.outputs and scored(trace, call)]
    if last is None or not complete(trace) or not told or not given:
        return None
    if any(not telling(call) or any(row not in given for row in call.inputs[0].rows) for call in told):
        return None
    held = {value[1] for value in last.held.values() if isinstance(value, tuple) and value and value[0] == "tensor"}
    behind = {each.number for call in trained[:3] for op in trace.chain(call.inputs[0], call.n) for each in op.inputs}
    behind |= {call.inputs[0].number for call in trained[:3]}
    spare = cut_off(trace, held, behind, given, told[-1]) or array_left(trace, held, behind, given, told[-1])
    if spare is None:
        return None
    return (
        told[-1].site,
        f"all {len(told)} scored calls were given rows that training was given; the {spare.out[0].shape[0]} rows of "
        f"line {spare.site.line} go into nothing",
    )
