"""Where a tensor came from: what rules of losses and modes ask alike."""

from __future__ import annotations

import linecache
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from truestep.check.events import Forward, Op
from truestep.check.looks import Seen
from truestep.check.site import Site
from truestep.check.trace import LossCall, Trace

SHAPES = {
    "view", "reshape", "flatten", "squeeze", "unsqueeze", "contiguous", "float", "double", "to", "type", "clone",
    "view_as", "reshape_as", "expand", "expand_as", "transpose", "permute", "t", "T", "mT", "movedim", "swapaxes",
    "__getitem__", "select", "narrow", "unflatten", "long",
}  # fmt: skip
"""Calls that show the same numbers in another shape or dtype, or a part of them."""
SOUND = SHAPES - {"__getitem__", "select", "narrow"}
"""Those that keep all of them."""


def origin(trace: Trace, seen: Seen, before: int, through: Collection[str] = SHAPES) -> Op | None:
    """The call that computed a tensor's numbers, looked for behind calls that only reshape them."""
    for _ in range(20):
        op = trace.maker(seen, before)
        if op is None or op.name not in through or not op.inputs:
            return op
        seen, before = op.inputs[0], op.n
    return None


def root(trace: Trace, seen: Seen, before: int, through: Collection[str] = SHAPES) -> Seen:
    """The tensor at the start of the calls that only reshape it."""
    for _ in range(20):
        op = trace.maker(seen, before)
        if op is None or op.name not in through or not op.inputs or changed(op, seen):
            return seen
        seen, before = op.inputs[0], op.n
    return seen


def changed(op: Op, seen: Seen) -> bool:
    """Whether a tensor was written into since a call made it."""
    return all(out.version != seen.version for out in op.out if out.number == seen.number)


def compared(trace: Trace, op: Op) -> bool:
    """Whether a difference is squared or made absolute, and that, or half of it, is averaged or summed at once."""
    for later in (user for out in op.out for user in trace.users(out, op.n)):
        if later.name in ("pow", "square", "abs") or (
            later.name == "mul" and len(later.inputs) == 2 and later.inputs[0].number == later.inputs[1].number
        ):
            users = [user for out in later.out for user in trace.users(out, later.n)]
            halves = [user for user in users if user.name in ("div", "mul") and len(user.inputs) == 1]
            users = [user for user in users if user not in halves]
            users += [user for half in halves for out in half.out for user in trace.users(out, half.n)]
            if users and {user.name for user in users} <= {"mean", "sum"}:
                return True
    return False


def call_behind(trace: Trace, seen: Seen, before: int, calls: Mapping[int, Forward]) -> Forward | None:
    """The call of a model that a prediction comes from; `calls` are known by the numbers of their outputs."""
    if seen.number in calls:
        return calls[seen.number]
    for op in trace.chain(seen, before):
        for each in op.inputs:
            if each.number in calls and calls[each.number].n < before:
                return calls[each.number]
    return None


def source_of(trace: Trace, guess: Seen, before: int, calls: Mapping[int, Forward]) -> tuple[Seen, int] | None:
    """What a prediction was made of, by a model or by hand, and when."""
    call = call_behind(trace, guess, before, calls)
    if call is not None:
        return (call.inputs[0], call.n) if call.inputs else None
    for op in trace.chain(guess, before):
        for each in op.inputs:
            if each.shape[:1] == guess.shape[:1] and each.shape and not each.needs_grad:
                return each, op.n
    return None


def by_line(calls: Iterable[LossCall]) -> list[list[LossCall]]:
    """Calls of losses, those of one line and one callee together."""
    found: dict[tuple[str, int, str], list[LossCall]] = defaultdict(list)
    for call in calls:
        found[(*call.op.site.place, call.name)].append(call)
    return list(found.values())


def reaches(trace: Trace, seen: Iterable[Seen], after: int, most: int = 400) -> tuple[list[Op], set[int]]:
    """The calls that tensors went into, whatever was made of them too; and the numbers of all these tensors."""
    waiting = [(each, after) for each in seen]
    numbers = {each.number for each, _ in waiting}
    found: dict[int, Op] = {}
    while waiting and len(found) < most:
        one, since = waiting.pop(0)
        for op in trace.users(one, since):
            if op.n not in found:
                found[op.n] = op
                numbers |= {each.number for each in op.out}
                waiting += [(each, op.n) for each in op.out if each.number != one.number]
    return list(found.values()), numbers


def statement(site: Site, most: int = 12) -> str:
    """The source of the statement that begins on a line: up to where its brackets close."""
    text = ""
    for line in range(site.line, site.line + most):
        text += linecache.getline(site.file, line)
        if sum(map(text.count, "([{")) <= sum(map(text.count, ")]}")):
            break
    return text
