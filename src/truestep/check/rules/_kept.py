"""Where a program keeps its best model, as its names told: by the word, beside the best value, or one after another."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from truestep.check.changes import StateTaken
from truestep.check.events import Names, Number
from truestep.check.rules._guards import Guard, guards
from truestep.check.rules._memory import Memory
from truestep.check.rules._source import assigned, tree_of
from truestep.check.rules._worth import worth
from truestep.check.rules._written import written
from truestep.check.site import Site
from truestep.check.trace import Trace

OFTEN = 3


@dataclass(frozen=True, slots=True)
class Held:
    """A place that stood for trained memory from event `first` to `last`, while `steps` updates changed it.

    `averaged`: no optimizer did; after these updates the program wrote into it, as an average of the weights does.
    """

    words: str
    memory: frozenset[int]
    first: int
    last: Names
    steps: int
    since: str
    site: Site | None = None
    averaged: bool = False


def by_name(trace: Trace, memory: Memory) -> Iterator[Held]:
    """What goes by the name of a best model."""
    since: dict[tuple[str, frozenset[int], object], int] = {}
    last: dict[str, tuple[Names, frozenset[int], object]] = {}
    for event in trace.of(Names):
        for name, value in event.held.items():
            kind = value[0] if isinstance(value, tuple) and value else ""
            if "best" not in name.rpartition(".")[2].lower() or kind not in ("module", "dict"):
                continue
            if held := memory.of(value):
                identity = value[1]
                since.setdefault((name, held, identity), event.n)
                last[name] = event, held, identity
    for name, (event, held, identity) in last.items():
        first = since[name, held, identity]
        first = min(first, _read(trace, event, name) or first)
        steps = memory.changed(held, first, event.n)
        if steps:
            yield Held(name, held, first, event, steps, "after the best value was read")


def _read(trace: Trace, event: Names, name: str) -> int | None:
    """When the best value beside a best model was read: a float of the same owner that a tensor gave."""
    owner = name.rpartition(".")[0]
    values = {
        value
        for other, value in event.held.items()
        if isinstance(value, float) and other.rpartition(".")[0] == owner and "best" in other.lower()
    }
    reads = [number.n for number in trace.of(Number) if number.value in values and number.n < event.n]
    return reads[-1] if reads else None


def beside_best(trace: Trace, memory: Memory) -> Iterator[Held]:
    """What is set in the block that sets the best value, and stands for the same weights while that value stays."""
    for guard in guards(trace):
        taken = [event for event in trace.of(StateTaken) if guard.sets and guard.inside(event)]
        for words, line in _beside(guard) if guard.sets else ():
            own = words.startswith("self.") and guard.best.startswith("self.")
            pattern = re.compile(r"([^\[]*)" + re.escape(words[4:]) if own else "()" + re.escape(words))
            first: dict[tuple[str, float, frozenset[int]], int] = {}
            for event in trace.of(Names):
                for name, told in event.held.items():
                    found = _below(pattern, name)
                    held = memory.of(told) if found is not None else frozenset[int]()
                    if found is None or not held:
                        continue
                    # from outside the method `self` goes by another name, and has both
                    value = worth(event, found.group(1) + guard.best[4:] if own else guard.best)
                    if value is None:
                        continue
                    began = first.setdefault((name, value, held), event.n)
                    steps = memory.changed(held, began, event.n)
                    writes = 0 if steps else written(trace, held, _taken(taken, held, began, event.n), event.n)
                    if steps or writes:
                        since, where = f"while {guard.best} stayed at {value:.4g}", Site(guard.site.file, line)
                        yield Held(name, held, began, event, steps or writes, since, where, bool(writes))


def _taken(taken: list[StateTaken], memory: frozenset[int], began: int, before: int) -> int:
    """Since when a place stood for this memory: since the block took its state last, where no names told before."""
    last = [event.n for event in taken if event.n < before and memory.issubset(event.storages)]
    return min(began, last[-1]) if last else began


def _below(pattern: re.Pattern[str], name: str) -> re.Match[str] | None:
    """The match where a place is the one that is meant, or lies in it."""
    found = pattern.match(name)
    return found if found is not None and (found.end() == len(name) or name[found.end()] in ".[") else None


def _beside(guard: Guard) -> list[tuple[str, int]]:
    """What else the block of a guard sets, with the line of each."""
    tree = tree_of(guard.site.file)
    nodes = [
        each for each in ast.walk(tree) if isinstance(each, ast.stmt) and guard.body[0] <= each.lineno <= guard.body[1]
    ] if tree is not None else []  # fmt: skip
    calls = [each for node in nodes for each in ast.walk(node) if isinstance(each, ast.Call)]
    handed = {ast.unparse(given) for call in calls for given in (*call.args, *(word.value for word in call.keywords))}
    found: list[tuple[str, int]] = []
    for node in nodes:
        for target, given in assigned(node):
            # what is handed on may be written at once
            if target != guard.best and target not in handed and not _plain(given):
                found.append((target, node.lineno))
    return found


def _plain(given: str) -> bool:
    """Whether what is given can be no reference to weights: a constant, or a copy."""
    if "deepcopy" in given or "clone" in given:
        return True
    try:
        return isinstance(ast.parse(given, mode="eval").body, ast.Constant)
    except SyntaxError:
        return True


def alike(trace: Trace, memory: Memory) -> Iterator[Held]:
    """Lists of states that grew while the weights changed, the first and the last of which are the same memory."""
    began: dict[tuple[str, str], tuple[int, int, frozenset[int]]] = {}
    told: set[tuple[str, str]] = set()
    for event in trace.of(Names):
        for name, value in event.held.items():
            for table, key in _tables(event, name):
                held = frozenset[int]() if (table, key) in told else memory.of(value)
                if not held:
                    continue
                first_one = event.held.get(f"{table}[0]{key}")
                one = value[0] == "tensor" or (value[0] == "module" and value == first_one)
                if one or memory.of(first_one) != held:
                    continue  # a view of a weight may be meant, and a model that stands beside each of its figures
                length = _length(event, table)
                size, first, was = began.setdefault((table, key), (length, event.n, held))
                steps = memory.changed(held, first, event.n)
                if was == held and length > size and length >= OFTEN and steps:
                    told.add((table, key))
                    since = f"while it grew to {length} entries that are all the same memory"
                    yield Held(name, held, first, event, steps, since)


def _tables(event: Names, name: str) -> Iterator[tuple[str, str]]:
    """The lists of two or more whose last entry, or a part of it, goes by this name; with the words for the part."""
    for found in re.finditer(r"\[-1\]", name):
        table, key = name[: found.start()], name[found.end() :]
        if _length(event, table) >= 2:
            yield table, key


def _length(event: Names, words: str) -> int:
    value = event.held.get(words)
    return value[1] if isinstance(value, tuple) and value[:1] == ("list",) else 0
