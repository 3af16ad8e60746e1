"""Weights that are mixed, at each update, with those of a module that never changes, and where the means go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from truestep.check.changes import Backward, StateLoaded
from truestep.check.events import Forward, Op
from truestep.check.looks import Seen
from truestep.check.rules._batches import ends
from truestep.check.rules._facts import held
from truestep.check.trace import Trace

OFTEN, HALF = 10, 0.5
SAME = {"data", "detach", "clone", "to", "float", "double", "alias"}


class Mixed(NamedTuple):
    """The write, how many updates it followed, the share of the other module in it, that module, and its calls."""

    op: Op
    times: int
    share: float
    source: int
    calls: int
    targets: int


def mixed(trace: Trace) -> Iterator[Mixed]:
    """Lines that draw trained weights towards those of a module that keeps every bit, to a half or more of the way.

    Or to any part of it where that module's outputs, without a graph, are what the others are trained towards: it was
    to follow them, and they follow it.
    """
    mine, homes = held(trace), _homes(trace)
    lines: dict[tuple[str, int], list[tuple[Op, int, float]]] = defaultdict(list)
    scaled: dict[int, float] = {}
    for op in trace.ops("copy_", "data=", "mul_", "__imul__", "add_", "__iadd__", "lerp_"):
        own = op.inputs[0].storage if op.inputs else 0
        if homes.get(own) not in mine or not op.update:
            continue
        if op.name in ("mul_", "__imul__"):
            factor = op.arg(1, "other")
            scaled[own] = factor if isinstance(factor, float) else 0.0
            continue
        other, share = _other(trace, op, own, scaled.pop(own, 0.0), homes)
        if other and homes[other] not in mine:
            lines[op.site.place].append((op, other, share))
    for found in lines.values():
        one = _still(trace, found)
        if one is not None and (one.share >= HALF or one.targets >= OFTEN):
            yield one


def unread(trace: Trace) -> Iterator[Mixed]:
    """Lines that make means of trained weights and a module's, which nobody reads: the module keeps every bit.

    Its calls are counted whose outputs, without a graph, are what the others are trained towards.
    """
    mine, homes = held(trace), _homes(trace)
    lines: dict[tuple[str, int], list[tuple[Op, int, float]]] = defaultdict(list)
    for op in trace.ops("add", "lerp"):
        if not op.update or not op.out or op.out[0].storage in homes:
            continue
        whole = _sum(trace, op, 1.0, homes, 8)
        others = [home for home in whole if homes.get(home) not in mine]
        if _a_mean(whole) and len(others) == 1 and others[0] and not trace.users(op.out[0], op.n):
            lines[op.site.place].append((op, others[0], whole[others[0]]))
    for found in lines.values():
        loaded = any(load.of == "module" and load.n > found[0][0].n for load in trace.of(StateLoaded))
        one = None if loaded else _still(trace, found)
        if one is not None:
            yield one


def _still(trace: Trace, found: list[tuple[Op, int, float]]) -> Mixed | None:
    """What a line did with the weights of one module, often enough, where that module keeps every bit."""
    times, own = len({op.update for op, _, _ in found}), {other for _, other, _ in found}
    source = _module(trace, own)
    calls = [each for each in trace.of(Forward) if each.module == source and each.close]
    if times < OFTEN or not source or _moves(trace, source, calls, own):
        return None
    targets = sum(not each.grad and _gives_targets(trace, each) for each in calls)
    return Mixed(found[0][0], times, found[0][2], source, len(calls), targets)


def _homes(trace: Trace) -> dict[int, int]:
    return {home: facts.parameters[name] for facts in trace.modules.values() for name, home in facts.storages.items()}


def _a_mean(whole: dict[int, float]) -> bool:
    return len(whole) == 2 and abs(sum(whole.values()) - 1) < 1e-6 and all(0 < share < 1 for share in whole.values())


def _gives_targets(trace: Trace, call: Forward) -> bool:
    return any(ends(trace, out, call.n)[1] for out in call.outputs[:1])


def _other(trace: Trace, op: Op, own: int, factor: float, homes: dict[int, int]) -> tuple[int, float]:
    """The memory that a weight is mixed with, and its share; 0 where this is no mean of the two."""
    if op.name == "lerp_":
        share, parts = op.arg(2, "weight"), [each.storage for each in op.inputs[1:2]]
        whole = {parts[0]: share, own: 1 - share} if parts and isinstance(share, float) else {}
    elif len(op.inputs) < 2:
        return 0, 0.0
    else:
        alpha = op.words.get("alpha", 1.0) if op.name in ("add_", "__iadd__") else 1.0
        whole = _terms(trace, op.inputs[1], op.n, float(alpha), homes) if isinstance(alpha, int | float) else {}
        if op.name in ("add_", "__iadd__"):
            whole[own] = whole.get(own, 0.0) + factor
    others = [home for home in whole if home != own]
    mean = _a_mean(whole) and len(others) == 1 and others[0] in homes
    return (others[0], whole[others[0]]) if mean else (0, 0.0)


def _terms(
    trace: Trace, seen: Seen, before: int, factor: float, homes: dict[int, int], depth: int = 8
) -> dict[int, float]:
    """A tensor as a sum of parameters, by their memory, each with its factor; 0 stands for anything else."""
    if seen.storage in homes:
        return {seen.storage: factor}
    made = trace.maker(seen, before)
    return {0: factor} if made is None or not depth else _sum(trace, made, factor, homes, depth)


def _sum(trace: Trace, made: Op, factor: float, homes: dict[int, int], depth: int) -> dict[int, float]:
    """What a call made, taken apart in the same way."""
    numbers = [each for each in made.args if isinstance(each, int | float)]
    if not made.inputs:
        return {0: factor}

    def part(each: Seen, times: float) -> dict[int, float]:
        return _terms(trace, each, made.n, times, homes, depth - 1)

    if made.name in SAME:
        return part(made.inputs[0], factor)
    if made.name in ("mul", "div") and len(made.inputs) == 1 and len(numbers) == 1 and numbers[0]:
        return part(made.inputs[0], factor * numbers[0] if made.name == "mul" else factor / numbers[0])
    found: dict[int, float] = {}
    if made.name in ("add", "sub") and len(made.inputs) == 2:
        alpha = float(made.words.get("alpha", 1.0)) * (-1 if made.name == "sub" else 1)
        for each, times in ((made.inputs[0], factor), (made.inputs[1], factor * alpha)):
            for home, share in part(each, times).items():
                found[home] = found.get(home, 0.0) + share
        return found
    weight = made.arg(2, "weight")
    if made.name == "lerp" and len(made.inputs) == 2 and isinstance(weight, float):
        ends = zip(made.inputs, (factor * (1 - weight), factor * weight), strict=True)
        return {home: share for each, times in ends for home, share in part(each, times).items()}
    return {0: factor}


def _module(trace: Trace, homes: set[int]) -> int:
    """The outermost module that all this memory is of; 0 for none."""
    found = [(len(facts.storages), number) for number, facts in trace.modules.items()
             if homes <= set(facts.storages.values())]  # fmt: skip
    called = {each.module for each in trace.of(Forward) if not each.depth}
    return min(((size, number) for size, number in found if number in called), default=(0, 0))[1]


def _moves(trace: Trace, source: int, calls: list[Forward], homes: set[int]) -> bool:
    """Whether the module's weights changed after its first call, or nothing shows that they did not."""
    marks = {each.weights for each in calls if each.weights}
    first = calls[0].n if calls else 0
    leaves = [leaf for event in trace.of(Backward) for leaf in event.leaves if leaf.storage in homes and leaf.weight]
    bits = {(leaf.number, leaf.weight.mark) for leaf in leaves if leaf.weight is not None}
    loads = any(load.owner == source and load.n > first for load in trace.of(StateLoaded) if load.of == "module")
    written = any(
        op.inputs[0].storage in homes and op.n > first
        for op in trace.of(Op)
        if op.inputs and (op.name == "data=" or (op.name.endswith("_") and not op.name.startswith("__")))
    )
    return len(marks) != 1 or len(bits) > len({number for number, _ in bits}) or loads or written
