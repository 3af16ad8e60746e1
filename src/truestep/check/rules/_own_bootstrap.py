"""Bootstrap targets that keep their graph: the value of the next state is trained towards that of this one."""

from __future__ import annotations

import linecache
from collections import defaultdict
from collections.abc import Iterator, Mapping

from truestep.check.events import Forward, Op
from truestep.check.looks import Seen
from truestep.check.rules._chains import compared
from truestep.check.rules._facts import held
from truestep.check.rules._words import plural
from truestep.check.site import Site
from truestep.check.trace import Trace

LOSSES = ("mse_loss", "smooth_l1_loss", "huber_loss", "l1_loss")
OFTEN, DEEP, LEAST = 6, 60, 0.5
BEST = {"max", "amax"}
JOINS = {"add", "sub", "__radd__", "__add__", "rsub", "__rsub__", "add_", "sub_"}
MEANT = ("residual", "baird")


def own_bootstrap(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """Lines that compare a network's value with data and a share of its own best value of other inputs, both learning.

    Where the words of the program say that the residual is meant to be made small by both, as Baird's method does, it
    is left alone.
    """
    calls = {out.number: call for call in trace.of(Forward) if call.depth == 0 and call.grad for out in call.outputs}
    mine = held(trace)
    lines: dict[tuple[str, int], list[tuple[Op, Forward]]] = defaultdict(list)
    for op in trace.ops(*LOSSES, "sub"):
        if op.grad and len(op.inputs) > 1 and all(each.needs_grad for each in op.inputs[:2]) and not op.within:
            if op.name == "sub" and not compared(trace, op):
                continue
            call = _met(trace, op, calls)
            facts = trace.modules.get(call.module) if call is not None else None
            if call is not None and facts is not None and mine & set(facts.parameters.values()):
                lines[op.site.place].append((op, call))
    for (file, line), told in lines.items():
        times = len({op.update for op, _ in told})
        if times >= OFTEN and not _meant(file):
            call = told[0][1]
            yield (
                call.site,
                f"the target that {trace.name(call.module)} gives itself has a gradient",
                f"at {plural(times, 'update')} looked at line {line} compared its value with a share of the best one "
                "that it gives of other inputs, and both sides led back to its weights: each update draws the next "
                "value towards this one too",
            )
            return


def _met(trace: Trace, op: Op, calls: Mapping[int, Forward]) -> Forward | None:
    """The call whose best value, a share of it beside data, is compared with what another call of the module gave."""
    first, second = op.inputs[:2]
    for value, target in ((first, second), (second, first)):
        behind, ops = _behind(trace, target, op.n, calls)
        others, way = _behind(trace, value, op.n, calls)
        if (
            len(behind) != 1
            or len(others) != 1
            or not _bootstraps(trace, ops)
            or any(each.name in BEST for each in way)
        ):
            continue
        call, other = behind[0], others[0]
        same = call.module == other.module and call.update == other.update
        if same and call.n != other.n and _rows(call) != _rows(other):
            return call
    return None


def _behind(trace: Trace, seen: Seen, before: int, calls: Mapping[int, Forward]) -> tuple[list[Forward], list[Op]]:
    """The calls of models that a tensor was made of with a gradient, and what was done to their outputs."""
    found: dict[int, Forward] = {}
    ops: list[Op] = []
    way = trace.back([seen], before, DEEP, lambda op, each: each.needs_grad and not op.within)
    for each, op in way:
        if each.number in calls:
            found[calls[each.number].n] = calls[each.number]
        elif op is not None and not op.within:
            ops.append(op)
    return list(found.values()), ops


def _bootstraps(trace: Trace, ops: list[Op]) -> bool:
    """Whether the best of several values was taken, a share of it, and data were added."""
    best = any(op.name in BEST and len(op.inputs) == 1 and op.out and op.out[0].shape for op in ops)
    shares = [op for op in ops if op.name == "mul"]
    shares += [made for op in shares for each in op.inputs if (made := trace.maker(each, op.n)) and made.name == "mul"]
    share = any(LEAST < each < 1 for op in shares for each in op.args if isinstance(each, float))
    data = any(op.name in JOINS and any(not each.needs_grad and each.shape for each in op.inputs) for op in ops)
    return best and share and data


def _rows(call: Forward) -> list[tuple[int, ...]]:
    return [seen.rows for seen in call.inputs]


def _meant(file: str) -> bool:
    return any(word in line.lower() for line in linecache.getlines(file) for word in MEANT)
