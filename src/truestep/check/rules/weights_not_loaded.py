"""A state was loaded and not a single weight of it arrived.

What: `load_state_dict(..., strict=False)` with names that all differ (a prefix "module.", the whole checkpoint instead
of the state in it), or a state that was filtered down to nothing before it was merged with the model's own; or a file
with a model's state is read, nothing loads it, and a new model is scored; or a copy is trained, or copied from, and the
other one of the two is scored; or the weights are put into what `state_dict()` returned and nothing holds.

Why: the model keeps its random weights, and nothing says so.

Evidence: of the given names none is the model's; or the loaded state is, tensor by tensor, the model's own memory,
taken from it before, while another state was at hand; or after a file with a model's state was read no module loads
any, and what is scored is a module that was never trained, beside a trained one of its class. Of a copy: that both had
the same weights when it was made, that the scored one kept them, and the trained one is called for nothing else.

False alarms: a new head that is left out is no finding: then most of the names fit. Nor is a copy of the trained model,
a file that holds a whole module, or a copy that is scored beside the trained one, to see what was gained.

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
from truestep.check.rules._batches import split
from truestep.check.rules._rows import scored
from truestep.check.rules._stale import twins
from truestep.check.rules._states import steps_on
from truestep.check.rules._temporary import temporary
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
    for site, message, evidence in temporary(trace):
        yield found(
            RULE, site, message, evidence, "the model keeps its own weights, and nothing says so",
            "load them: model.load_state_dict(weights)",
        )  # fmt: skip
    yield from _only_read(trace)
    yield from _twins(trace)


def _only_read(trace: Trace) -> Iterator[Finding]:
    """A new module that is scored although the state of one like it was read from a file, and nothing loads it."""
    copies = [event for event in trace.of(Saved) if event.modules and event.how != "save"]
    reads = [event for event in trace.of(Saved) if event.how == "load" and event.tensors and _a_state(trace, event)]
    if not reads or copies or any(load.of == "module" and load.n > reads[0].n for load in trace.of(StateLoaded)):
        return
    trained, others = split(trace)
    known = {trace.name(call.module) for call in trained}
    like = {call.module for call in others if trace.name(call.module) in known}
    fresh = {module for module in like if not steps_on(trace, module, 0, trace.events[-1].n)}
    for call in others:
        if call.module in fresh and call.n > reads[0].n and scored(trace, call):
            yield found(
                RULE,
                reads[0].site,
                "a state is read, and no model loads it",
                f"the file has {reads[0].tensors} tensors under {', '.join(map(repr, reads[0].keys[:4]))}; nothing is "
                f"loaded after it, and line {call.site.line} scores a {trace.name(call.module)} that was never trained",
                "the score is that of the weights that the model was built with",
                "give the state to the model: model.load_state_dict(checkpoint[...])",
            )
            return


def _twins(trace: Trace) -> Iterator[Finding]:
    for one in twins(trace):
        yield found(
            RULE,
            one.made,
            "a model is scored that was never trained: its twin is, and that goes nowhere",
            f"both had the same weights when one was copied here; {one.steps} steps seen moved the other, which was "
            f"called for nothing but its training, and line {one.call.site.line} scores the one that kept every bit",
            "the score is that of the weights before the training",
            "score the model that is trained, or load its state into the other one",
        )
        return


def _a_state(trace: Trace, read: Saved) -> bool:
    """Whether a file holds the state of a model, by what its parts are called."""
    own = {name.partition(".")[2] for name in trace.names.values()}
    return any("state_dict" in key or key in ("model", "net", "network", "weights") or key in own for key in read.keys)


def _other(trace: Trace, load: StateLoaded) -> bool:
    """Whether the module was never trained, and a state other than its own was taken or read before."""
    if steps_on(trace, load.owner, 0, load.n):
        return False
    taken = [event for event in trace.of(StateTaken) if event.of == "module" and event.n < load.n]
    own = any(event.owner == load.owner for event in taken)
    read = any(event.how == "load" and event.n < load.n for event in trace.of(Saved))
    return own and (read or any(event.owner != load.owner for event in taken))
