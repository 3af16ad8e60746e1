"""A state was loaded and not a single weight of it arrived.

What: `load_state_dict(..., strict=False)` with names that all differ (a prefix "module.", the whole checkpoint instead
of the state in it), or a state that was filtered down to nothing before it was merged with the model's own.

Why: the model keeps its random weights, and nothing says so.

Evidence: of the given names none is the model's; or the loaded state is, tensor by tensor, the model's own memory,
taken from it before, while another state was at hand.

False alarms: a new head that is left out is no finding: then most of the names fit.

Mend: strip the prefix, take the state out of the checkpoint, load strictly, or look at what `load_state_dict` returns.

Wrong:
    model.load_state_dict(torch.load(path), strict=False)

Right:
    model.load_state_dict(torch.load(path)["state_dict"])
"""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.changes import Saved, StateLoaded, StateTaken
from truestep.check.finding import Finding, Rule
from truestep.check.rules import found
from truestep.check.rules._states import steps_on
from truestep.check.trace import Trace

RULE = Rule("TS674", "weights_not_loaded", "a state was loaded and no weight arrived", "error", "reporting")


def look(trace: Trace) -> Iterator[Finding]:
    """Compare the names of each loaded state with the module's, and its memory."""
    for load in trace.of(StateLoaded):
        if load.of != "module" or not load.given or not load.entries:
            continue
        words = ""
        if not load.matched:
            words = f"none of the {load.given} given names is one of the {load.entries} of {trace.name(load.owner)}"
        elif load.shared == load.matched and load.same and _other(trace, load):
            words = (
                f"all {load.matched} tensors that {trace.name(load.owner)} loads are its own already, although "
                "another state was at hand"
            )
        if words:
            yield found(
                RULE,
                load.site,
                "no weight is loaded",
                words,
                "the model keeps the weights that it was built with",
                "make the names fit and load strictly; look at what load_state_dict returns",
            )


def _other(trace: Trace, load: StateLoaded) -> bool:
    """Whether the module was never trained, and a state other than its own was taken or read before."""
    if steps_on(trace, load.owner, 0, load.n):
        return False
    taken = [event for event in trace.of(StateTaken) if event.of == "module" and event.n < load.n]
    own = any(event.owner == load.owner for event in taken)
    read = any(event.how == "load" and event.n < load.n for event in trace.of(Saved))
    return own and (read or any(event.owner != load.owner for event in taken))
