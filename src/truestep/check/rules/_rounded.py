"""Weights whose gradient is zero because their result is rounded: the way is attached, and its slope is nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from truestep.check.changes import Step
from truestep.check.events import Op
from truestep.check.rules._words import plural
from truestep.check.site import Site
from truestep.check.trace import Trace

FLAT = {"round", "round_", "floor", "floor_", "ceil", "ceil_", "trunc", "trunc_", "fix", "sign", "sgn", "heaviside"}
"""Calls whose derivative is zero everywhere."""
OFTEN, LOOKED = 4, 3  # steps; updates in which the way is followed
DEEP = 40  # calls


def rounded(trace: Trace) -> Iterator[tuple[Site, str, str, str, str]]:
    """Parameters whose gradient is exactly zero at every step, and the call that rounds what is made of them."""
    flat = [op for op in trace.ops(*FLAT) if op.grad and any(out.needs_grad and not out.leaf for out in op.out)]
    zero = _zero(trace) if flat else {}
    lines: dict[tuple[str, int], dict[int, list[Op]]] = defaultdict(lambda: defaultdict(list))
    for op in flat:
        behind = {each.number for each, _ in trace.back(op.inputs, op.n, DEEP, lambda _, each: each.needs_grad)}
        for number in behind & zero.keys():
            lines[op.site.place][number].append(op)
    for seen in lines.values():
        hits = {number: ops for number, ops in seen.items() if len({op.update for op in ops}) >= LOOKED}
        if hits:
            number, ops = next(iter(hits.items()))
            names = ", ".join(trace.name(each) for each in list(hits)[:3]) + (", ..." if len(hits) > 3 else "")
            yield (
                ops[0].site,
                f"{ops[0].name}() has no slope, and {plural(len(hits), 'parameter')} behind it never get a gradient "
                f"but zero: {names}",
                f"the gradient of {trace.name(number)} was exactly zero at all {zero[number]} steps looked at, "
                f"{ops[0].name}() being applied to what was made of it at {len({op.update for op in ops})} updates",
                "these parameters never learn; with momentum or decay they only drift",
                "pass the gradient straight through, x + (x.round() - x).detach(), or round after training",
            )


def _zero(trace: Trace) -> dict[int, int]:
    """Parameters whose gradient was zero at each step that found one: number -> steps."""
    steps: dict[int, int] = defaultdict(int)
    alive: set[int] = set()
    for step in trace.of(Step):
        for one in step.moved:
            if one.grad is not None and one.needs_grad:
                steps[one.number] += 1
                if one.grad.norm != 0:
                    alive.add(one.number)
    return {number: n for number, n in steps.items() if n >= OFTEN and number not in alive}
