"""Weights that others stand in for while a model is evaluated, that are kept meanwhile and never put back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from truestep.check.changes import Step
from truestep.check.events import Forward, Names, Op
from truestep.check.trace import Trace

WRITES = ("copy_", "data=", "set_", "_foreach_copy_")
COPIES = ("clone", "detach", "data", "_foreach_clone")
OFTEN = 2


class Swap(NamedTuple):
    """Where weights were written over, how often, how many, by what name the old ones are known, and how far apart."""

    op: Op
    times: int
    numbers: tuple[int, ...]
    name: str
    step: Step


def swapped(trace: Trace, steps: Sequence[Step]) -> Swap | None:
    """The weights of one optimizer that are not put back after an evaluation, though they were kept for that.

    Between two of its steps all that the last one left is taken aside, others are written in its place, and a model is
    called without training; the next step begins with these. What was taken aside lives on, and no call reads it.
    """
    found: list[Swap] = []
    for last, step in pairwise(steps):
        left = {one.number: one.after for one in last.moved if one.change > 0}
        numbers = tuple(one.number for one in step.moved if one.number in left and left[one.number] != one.before)
        if not numbers or step.update != last.update + 1:
            continue
        writes = [op for op in trace.between(last.n, step.began, Op) if op.name in WRITES]
        calls = trace.between(writes[-1].n, step.began, Forward) if writes else ()
        if len(numbers) == len(left) and any(not call.grad or not call.training for call in calls):
            name = _kept(trace, numbers, last, writes, step)
            found += [Swap(writes[0], 1, numbers, name, step)] if name else []
    return found[0]._replace(times=len(found)) if len(found) >= OFTEN else None


def _kept(trace: Trace, numbers: Sequence[int], last: Step, writes: Sequence[Op], step: Step) -> str:
    """The name of what holds the old weights after the next step; empty where nothing does, or they are read again."""
    before = _memory(trace, numbers, last.began, writes[0].n)
    after = _memory(trace, numbers, writes[-1].n, step.began)
    copies = [op for op in trace.between(last.n, step.began, Op) if op.name in COPIES]
    aside = {number: {memory} - {after.get(number, memory)} for number, memory in before.items()}
    for op in copies:
        for number, memory in before.items():
            if op.inputs and op.inputs[0].storage == memory:
                aside[number] |= {out.storage for out in op.out} - {memory}
    names = next((each for each in trace.of(Names) if each.n > step.n), None)
    if names is None or len(aside) < len(numbers) or not all(aside.values()):
        return ""
    read, own = trace.once(_read), set(before.values())
    for name, held in names.held.items():
        memory = set(held[-1]) if isinstance(held, tuple) and held[0] in ("dict", "list") else set[int]()
        kept = [mine & memory for mine in aside.values()]
        again = any(read.get(each, 0) > (writes[-1].n if each in own else last.n) for mine in kept for each in mine)
        if all(kept) and not again:
            return name
    return ""


def _read(trace: Trace) -> dict[int, int]:
    """When a call last read each memory."""
    return {each.storage: op.n for op in trace.of(Op) for each in op.inputs}


def _memory(trace: Trace, numbers: Sequence[int], first: int, last: int) -> dict[int, int]:
    """The memory in which weights stood when a call last used them."""
    ops = trace.between(first, last, Op)
    return {each.number: each.storage for op in ops for each in op.inputs if each.number in numbers}
