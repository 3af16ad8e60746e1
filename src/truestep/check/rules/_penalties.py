"""Terms of a loss that are made of gradients without a graph: a penalty that no pass goes through."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from truestep.check.changes import Backward
from truestep.check.events import Op
from truestep.check.rules._cut_terms import OFTEN, terms
from truestep.check.site import Site
from truestep.check.trace import Trace

DEEP = 60


def dead_penalties(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """Such terms at every pass of a line, of gradients that depend on weights which the passes train."""
    grads = {n: event for event in trace.of(Backward) if event.how == "grad" and not event.made for n in event.results}
    lines: dict[tuple[str, int], dict[int, tuple[Op, Backward]]] = defaultdict(dict)
    passes: dict[tuple[str, int], int] = defaultdict(int)
    for event in trace.backwards() if grads else ():
        if event.how != "backward" or not event.close or len(event.roots) != 1:
            continue
        passes[event.site.place] += 1
        own = {leaf.number for leaf in event.leaves}
        for add, term in terms(trace, event):
            behind = [seen.number for seen, _ in trace.back([term], add.n, DEEP)]
            made = next((grads[number] for number in behind if number in grads), None)
            if made is not None and made.update == event.update and own & {leaf.number for leaf in made.leaves}:
                lines[event.site.place][event.n] = add, made
    for place, seen in lines.items():
        if len(seen) >= max(OFTEN, passes[place]):
            add, made = next(iter(seen.values()))
            shared = min(leaf.number for leaf in made.leaves)
            yield (
                made.site, "a term of the loss is made of gradients that have no graph: it has no gradient",
                f"at {len(seen)} passes looked at, the term that line {add.site.line} adds was made of what "
                f"torch.autograd.grad gave without create_graph; it depends on {trace.name(shared)}, and no pass ever "
                "went through it",
            )  # fmt: skip
            return
