"""Losses that are made of gradients without a graph: penalties and derivatives that no pass goes through."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from truestep.check.changes import Backward
from truestep.check.events import Op
from truestep.check.rules._cut_terms import OFTEN, terms
from truestep.check.site import Site
from truestep.check.trace import Trace

DEEP, WHOLE = 60, 400


def dead_penalties(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """Such terms at every pass of a line, of gradients that depend on weights which the passes train."""
    grads = trace.once(_bare)
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


def dead_derivatives(trace: Trace, idle: set[int]) -> Iterator[tuple[Site, str, str]]:
    """Derivatives of a model that a loss is made of, where weights of that model (`idle`) never get a gradient."""
    grads = trace.once(_bare)
    lines: dict[tuple[str, int], dict[int, tuple[Backward, set[int]]]] = defaultdict(dict)
    for event in trace.backwards() if grads and idle else ():
        if event.close and len(event.roots) == 1:
            for seen, _ in trace.back(event.roots, event.n, WHOLE):
                made = grads.get(seen.number)
                lost = {leaf.number for leaf in made.leaves} & idle if made is not None else set[int]()
                if made is not None and lost and made.update == event.update:
                    lines[made.site.place][event.update] = made, lost
    for seen in lines.values():
        if len(seen) >= OFTEN:
            made, lost = next(iter(seen.values()))
            yield (
                made.site, "the loss is made of derivatives that have no graph: what they were taken of learns nothing",
                f"at {len(seen)} updates looked at the loss was made of what torch.autograd.grad gave without "
                f"create_graph; {trace.name(min(lost))}, which the optimizer holds, stands behind it and never got "
                "a gradient",
            )  # fmt: skip
            return


def _bare(trace: Trace) -> dict[int, Backward]:
    """The passes whose gradients have no graph, by the numbers of these."""
    return {n: event for event in trace.of(Backward) if event.how == "grad" and not event.made for n in event.results}
