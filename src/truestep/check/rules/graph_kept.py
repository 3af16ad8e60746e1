"""The graphs of many steps are kept alive: by a running sum, or in a list.

What: a tensor that still carries its graph is added to a sum over the updates, or outputs and losses with their graphs
are kept to the end of the run.

Why: each of them keeps the graph of its step, and what that saved: the memory grows with every step, and a sum of
this kind becomes slow and may overflow the stack when it is freed.

Evidence: over how many updates the sum goes on without a backward pass through it, or how many tensors with a graph of
their own, made at the same line at different updates, live at the end.

False alarms: losses that are summed and differentiated later (a window, an episode) lie within one update. A history of
detached tensors carries no graph, a clone of a parameter hardly any, and a list that each epoch begins anew lets go of
its own. None of these counts.

Mend: `loss.item()` or `loss.detach()` for what is only reported; `torch.no_grad()` around evaluation.

Wrong:
    total += loss

Right:
    total += loss.item()
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from truestep.check.events import Op
from truestep.check.finding import Finding, Rule
from truestep.check.rules import found
from truestep.check.rules._facts import moments
from truestep.check.trace import Trace

RULE = Rule("TS208", "graph_kept", "graphs of many steps are kept alive", "warning", "parameters")
OFTEN = 5  # updates
WHY = "every step's graph stays in memory, with all that it saved for its backward pass"
MEND = "keep loss.item() or loss.detach(); evaluate under torch.no_grad()"


def look(trace: Trace) -> Iterator[Finding]:
    """Follow results with a graph from one update to the next, and count those that live at the end."""
    when = moments(trace)
    yield from _sums(trace, when)
    places: dict[tuple[str, int], dict[int, Op]] = defaultdict(dict)
    total = len(trace.updates())
    depth: dict[int, int] = {}  # calls between a tensor and its leaves
    for op in trace.of(Op):
        below = 1 + max((depth.get(each.number, 0) for each in op.inputs if each.needs_grad), default=0)
        for each in op.out:
            if each.needs_grad and not each.leaf:
                depth[each.number] = below
                if each.number in trace.living and below > 1:
                    places[op.site.place].setdefault(when(op.n), op)
    for kept in places.values():
        if len(kept) >= OFTEN and 2 * (max(kept) - min(kept)) >= total:
            op = next(iter(kept.values()))
            yield found(
                RULE,
                op.site,
                f"what {op.name}() makes here is kept with its graph, from {len(kept)} updates",
                f"{len(kept)} results of this line, made between updates {min(kept)} and {max(kept)}, lived at the end "
                f"and carried their graph ({op.out[0].maker or op.name})",
                WHY,
                MEND,
            )


def _sums(trace: Trace, when: Callable[[int], int]) -> Iterator[Finding]:
    """Chains of results that go on over the updates."""
    life: dict[int, tuple[int, int, int]] = {}  # number -> (updates crossed, made at update, the chain it belongs to)
    chains: dict[int, tuple[int, Op]] = {}
    begun: dict[int, int] = {}  # the line of the sum itself: what divides it in the end belongs to the same chain
    roots = {root.number for event in trace.backwards() for root in event.roots}
    used: set[int] = set()
    for op in trace.of(Op):
        if not any(each.needs_grad for each in op.out):
            continue
        now = when(op.n)
        known = [life[each.number] for each in op.inputs if each.needs_grad and each.number in life]
        behind = [(crossed + (made < now), -chain) for crossed, made, chain in known]
        crossed, chain = max(behind, default=(0, -op.n))
        chain = -chain  # of two that crossed as many updates the older one
        for each in op.out:
            if each.needs_grad and not each.leaf:
                life[each.number] = (crossed, now, chain)
                if crossed and each.number in roots:
                    used.add(chain)
                if crossed >= OFTEN and begun.setdefault(chain, op.site.line) == op.site.line:
                    chains.setdefault(op.site.line, (chain, op))
                    chains[op.site.line] = (chain, op) if crossed > OFTEN else chains[op.site.line]
    for chain, op in chains.values():
        if chain not in used:
            yield found(
                RULE,
                op.site,
                "this sum goes on from update to update with the graphs of all its terms",
                f"its value ({op.out[0].maker}) rests on results of {life[op.out[0].number][0]} earlier updates, and "
                "no backward pass ever used it",
                WHY,
                MEND,
            )
