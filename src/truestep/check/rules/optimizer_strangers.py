"""An optimizer holds parameters that no longer belong to what is trained, and not those that took their place.

What: parameters that the optimizer holds receive no gradient any more, while others of the same name or shape receive
gradients at every pass and belong to no optimizer: a layer or the whole model was replaced after the optimizer was
made.

Why: the optimizer keeps the old tensors; the new ones keep their random start, whatever the loss says.

Evidence: steps that found no gradient on the old ones, the gradients of the new ones, and that these kept every bit.

False alarms: frozen parameters and unused branches have no replacement that is trained. An optimizer that was made
after the replacement holds the new ones.

Mend: make the optimizer after the model is complete, and anew for each new model.

Wrong:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.head = nn.Linear(16, 4)

Right:
    model.head = nn.Linear(16, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from truestep.check.changes import Backward, Leaf, OptimizerMade, Step
from truestep.check.finding import Finding, Rule
from truestep.check.rules import found
from truestep.check.rules._facts import held
from truestep.check.rules._words import plural
from truestep.check.trace import Trace

RULE = Rule("TS209", "optimizer_strangers", "an optimizer holds what is no longer trained", "error", "parameters")
OFTEN = 5


def look(trace: Trace) -> Iterator[Finding]:
    """At each step, compare what the optimizer holds in vain with what is trained by nobody."""
    everybody = held(trace)
    owned = {number for facts in trace.modules.values() for number in facts.parameters.values()}
    bits: dict[int, set[int]] = defaultdict(set)
    vain: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))  # optimizer -> parameter -> steps
    missed: dict[int, dict[int, list[Leaf]]] = defaultdict(lambda: defaultdict(list))
    since: dict[int, Leaf] = {}
    for event in trace.of(Backward, Step):
        if isinstance(event, Backward):
            for leaf in event.leaves:
                if leaf.number not in everybody and leaf.number in owned and leaf.after is not None and leaf.weight:
                    since[leaf.number] = leaf
                    bits[leaf.number].add(leaf.weight.mark)
        elif event.close and event.moved:
            for number, leaf in since.items():
                missed[event.optimizer][number].append(leaf)
            frozen = not any(one.needs_grad for one in event.moved)  # before the new ones came, all together
            for one in event.moved if since else ():
                if (one.needs_grad or frozen) and (one.grad is None or one.grad.norm == 0):
                    vain[event.optimizer][one.number] += 1
            since = {}
    for optimizer, strangers in vain.items():
        old = [number for number, steps in strangers.items() if steps >= OFTEN]
        new = {n: ls for n, ls in missed[optimizer].items() if len(ls) >= OFTEN and len(bits[n]) == 1}
        pairs = [(n, number) for n in new for number in old if _replaces(trace, n, number)]
        if new and set(old) == trace.held(optimizer) and not _moved(trace, optimizer):
            pairs = pairs or list(zip(new, old, strict=False))  # all that it holds was replaced
        orphans = sorted(set(old) - owned)
        if not pairs and len(orphans) == len(new) and max(orphans, default=0) < min(new, default=0):
            pairs = list(zip(sorted(new), orphans, strict=True))  # as many as no module has, all of them older
        if pairs:
            yield _told(trace, optimizer, pairs, new, strangers)


def _moved(trace: Trace, optimizer: int) -> bool:
    """Whether any step of this optimizer ever moved anything."""
    steps = [step for step in trace.of(Step) if step.optimizer == optimizer]
    return any(one.change > 0 for step in steps for one in step.moved)


def _replaces(trace: Trace, new: int, old: int) -> bool:
    """Whether both bear one name in the same kind of model."""
    return new > old and new in trace.names and trace.names[new] == trace.names.get(old)


def _told(
    trace: Trace, optimizer: int, pairs: list[tuple[int, int]], new: dict[int, list[Leaf]], strangers: dict[int, int]
) -> Finding:
    number, old = pairs[0]
    made = next(event for event in trace.of(OptimizerMade) if event.optimizer == optimizer)
    leaves = new[number]
    return found(
        RULE,
        made.site,
        f"this {made.kind} holds tensors that were replaced, and not the {trace.name(number)} that is trained now",
        f"{strangers[old]} steps found no gradient on what it holds; the new one (shape {leaves[0].shape}) received "
        f"{len(leaves)} gradients, the first of norm {leaves[0].after.norm if leaves[0].after else 0.0:.3g}, and kept "
        f"every bit; so did {plural(len({n for n, _ in pairs}) - 1, 'other')}",
        "what replaced the old parameters is never trained",
        "make the optimizer after the replacement (and anew for each new model)",
        facts={"parameters": list(new)},
    )
