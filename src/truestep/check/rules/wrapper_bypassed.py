"""A model is wrapped for several ranks, and the training calls what is inside.

What: a DistributedDataParallel (or FSDP) was built, and every forward pass of the training went to the module inside
it: the wrapper was never called.

Why: the wrapper's forward prepares the averaging of gradients. Called around it, each rank follows its own gradients,
and the copies of the model drift apart without a word.

Evidence: how often the inner module was called for passes that trained it, and that the wrapper was not.

False alarms: evaluation, and saving, may use the module inside; passes without gradients do not count.

Mend: call the wrapper in training.

Wrong:
    ddp = DistributedDataParallel(model)
    loss = loss_fn(model(x), y)

Right:
    ddp = DistributedDataParallel(model)
    loss = loss_fn(ddp(x), y)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from truestep.check.events import Forward, ModuleMade
from truestep.check.finding import Finding, Rule
from truestep.check.rules import found
from truestep.check.rules._words import plural
from truestep.check.trace import ModuleFacts, Trace

RULE = Rule("TS220", "wrapper_bypassed", "a wrapper for several ranks is bypassed", "error", "ranks")
WRAPPERS = {"DistributedDataParallel", "FullyShardedDataParallel"}
OFTEN = 3


def look(trace: Trace) -> Iterator[Finding]:
    """Count the calls of each wrapper and of what is inside."""
    calls = [event for event in trace.of(Forward) if event.depth == 0 and event.grad and event.training]
    counts = Counter(event.module for event in calls)
    for made in trace.of(ModuleMade):
        facts = trace.modules.get(made.module)
        if made.kind not in WRAPPERS or facts is None or counts[made.module]:
            continue
        inside = [number for number in _nearest(trace, facts, counts) if counts[number] >= OFTEN][:1]
        trained = trace.trained & set(facts.parameters.values())
        for number in inside if trained else ():
            call = next(event for event in calls if event.module == number)
            yield found(
                RULE,
                call.site,
                f"the {made.kind} of line {made.site.line} is never called: this calls the model inside it",
                f"{plural(counts[number], 'forward pass', 'forward passes')} of the training went to "
                f"{trace.name(number)} inside, none to the "
                f"wrapper; {len(trained)} of its parameters received gradients that nobody averaged",
                "each rank follows its own gradients, and the copies drift apart",
                "call the wrapper in training; what is to be trained by another name is called from its forward",
            )


def _nearest(trace: Trace, wrapper: ModuleFacts, counts: Counter[int]) -> Iterator[int]:
    """The modules inside that the user called, the outermost first: a method of the model may call its layers."""
    waiting, known = list(wrapper.children.values()), set[int]()
    while waiting:
        number = waiting.pop(0)
        if number not in known:
            known.add(number)
            if counts[number]:
                yield number
            facts = trace.modules.get(number)
            waiting += facts.children.values() if facts is not None else ()
