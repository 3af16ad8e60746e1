"""The comparisons by which a program keeps its best model: `if value < best:` with what runs below it.

The source says what is compared and what lies inside the block, whether the comparison stands in the test itself, has a
name (`better = value < best`), is made by a function that the test calls, or is handed to the function around it. What
the two were worth, and whether the block ran, is in the record.
"""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from truestep.check.changes import Saved, StateTaken
from truestep.check.events import Event, Names, Op
from truestep.check.rules._handed import handed
from truestep.check.rules._source import Test, assigned, bare, compared, functions, mentions, scope_of, tree_of
from truestep.check.rules._worth import worth
from truestep.check.site import Site
from truestep.check.trace import Trace

BEST = ("best", "record", "champion", "optimum")
LEAST, GREATEST = ("min", "lowest"), ("max", "highest", "top")
"""Words for a value that is to be beaten: from either side, from below, from above."""


@dataclass(frozen=True, slots=True)
class Guard:
    """`if value < best:` as `value`, `best` in the words of the source; `less` when the smaller value is kept.

    `less` is None where the source has it both ways, as with a `mode`. `body` are the first and last line of what runs
    when the value is kept, `function` those of the function around (of the file without one), `sets` whether the block
    sets `best`, or with a test that has a name the lines around; `idle`: nothing in the loop around sets it, and for an
    attribute nothing but `__init__`.
    """

    site: Site
    value: str
    best: str
    less: bool | None
    sets: bool
    body: tuple[int, int]
    function: tuple[int, int]
    idle: bool = False

    def inside(self, event: Event) -> bool:
        """Whether something happened inside the block, or in what it called."""
        return self._within(event, self.body)

    def around(self, event: Event) -> bool:
        """Whether something happened inside the function, or in what it called."""
        return self._within(event, self.function)

    def _within(self, event: Event, lines: tuple[int, int]) -> bool:
        places = (event.site.place, *event.site.callers)
        return any(file == self.site.file and lines[0] <= line <= lines[1] for file, line in places)

    def inside_ran(self, trace: Trace) -> bool:
        """Whether anything that was recorded happened inside the block."""
        return any(self.inside(event) for event in trace.events)


class _Asked(NamedTuple):
    """A comparison, whether it has a name, the statement that makes it, and the function around that."""

    test: Test
    named: bool
    made: ast.stmt
    scope: ast.AST


def guards(trace: Trace) -> list[Guard]:
    """Every such comparison in the user's files."""
    return trace.once(_all)


def _all(trace: Trace) -> list[Guard]:
    files = {event.site.file for event in trace.events if event.site.file}
    return [guard for file in sorted(files) for guard in _of_file(file)]


def _of_file(file: str) -> Iterator[Guard]:
    tree = tree_of(file)
    if tree is None:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.If):
            found = list(_of_if(file, tree, node))
            for guard in found:
                pair = {guard.value, guard.best}
                both = {each.less for each in found if {each.value, each.best} == pair and each.body == guard.body}
                if len(both) == 1:
                    yield guard
                elif guard.less:
                    yield replace(guard, less=None)


def _of_if(file: str, tree: ast.Module, node: ast.If) -> Iterator[Guard]:
    scope = scope_of(tree, node.lineno)
    for test, named in compared(tree, scope, node.test):
        yield from _of_test(file, tree, node, _Asked(test, named, node, scope))
    for asked in handed(tree, scope, node.test):
        yield from _of_test(file, tree, node, _Asked(*asked))


def _of_test(file: str, tree: ast.Module, node: ast.If, asked: _Asked) -> Iterator[Guard]:
    test, scope = asked.test, asked.scope
    span = (getattr(scope, "lineno", 1), getattr(scope, "end_lineno", None) or 10**9)
    site = Site(file, asked.made.lineno, getattr(scope, "name", "<module>"))
    for value, words, less in ((test.left, test.right, test.less), (test.right, test.left, not test.less)):
        best = _without_margin(words)
        for block, kept in ((node.body, less), (node.orelse, not less)):
            if not block or not _place(best) or (block is node.orelse and _guarded(block)):
                continue
            pairs = [pair for statement in block for pair in assigned(statement)] if asked.made is node else []
            sets, takes = _sets(pairs, best) or test.sets == best, _takes(pairs, best, value) or test.sets == best
            if (asked.named or asked.made is not node) and not sets:  # the value may be set whatever the test says
                pairs = [pair for statement in getattr(scope, "body", []) for pair in assigned(statement, deep=True)]
                sets = takes = _takes(pairs, best, value)
            other = () if best != words else LEAST if kept else GREATEST
            named_so = any(word in best.lower() for word in BEST + other)
            hopeful = named_so and block is node.body and not _sets_any(node.orelse, best)
            if (takes and best == words) or (hopeful and not sets):
                body = (block[0].lineno, block[-1].end_lineno or block[-1].lineno)
                idle = not sets and _idle(tree, asked.made, best)
                yield Guard(site, value, best, kept, sets, body, span, idle)


def _guarded(block: list[ast.stmt]) -> bool:
    """An `elif` has a test of its own."""
    return len(block) == 1 and isinstance(block[0], ast.If)


def _without_margin(words: str) -> str:
    """What a value is compared with, less what it has to be better by: `best` of `best + delta`."""
    try:
        node = ast.parse(words, mode="eval").body
    except SyntaxError:
        return words
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        return ast.unparse(node.left)
    return words


def _place(words: str) -> bool:
    """Whether these words are a name, an attribute or an item: what a value can be kept in."""
    try:
        node = ast.parse(words, mode="eval").body
    except SyntaxError:
        return False
    return isinstance(node, ast.Name | ast.Attribute | ast.Subscript)


def _sets(pairs: list[tuple[str, str]], best: str) -> bool:
    """Whether one of the targets is this place, or what it lies in."""
    return any(target == best or best.startswith((f"{target}.", f"{target}[")) for target, _ in pairs)


def _sets_any(block: list[ast.stmt], best: str) -> bool:
    """Whether the other branch is where the best value is set: then this one is for what is worse."""
    return _sets([pair for statement in block for pair in assigned(statement, deep=True)], best)


def _takes(pairs: list[tuple[str, str]], best: str, value: str) -> bool:
    own = [given for target, given in pairs if _sets([(target, given)], best)]
    return any(bare(given) == bare(value) or mentions(given, bare(value)) for given in own)


def _idle(tree: ast.Module, node: ast.stmt, best: str) -> bool:
    """Whether no statement that runs each time sets this place: in the loop around, or anywhere for an attribute."""
    plain = best.isidentifier()
    around: Sequence[ast.AST] = [tree]
    if plain:
        loops = (each for each in ast.walk(tree) if isinstance(each, ast.For | ast.While | ast.AsyncFor))
        around = [each for each in loops if each.lineno <= node.lineno <= (each.end_lineno or each.lineno)][:1]
    first = [each for each in functions(tree) if each.name == "__init__"]
    tail = best.rpartition(".")[2]
    lines = [
        each.lineno for scope in around for each in ast.walk(scope)
        if isinstance(each, ast.Name | ast.Attribute | ast.Subscript) and isinstance(each.ctx, ast.Store)
        and (ast.unparse(each) == best or (isinstance(each, ast.Attribute) and each.attr == tail))
    ]  # fmt: skip
    return bool(around) and all(any(one.lineno <= line <= (one.end_lineno or 0) for one in first) for line in lines)


def kept(trace: Trace, guard: Guard) -> list[Event]:
    """The models that were kept inside the block: copied, saved, or their state taken; one between two passes."""
    found: dict[int, Event] = {}
    passes = [event.n for event in trace.backwards()]
    weights = {storage for facts in trace.modules.values() for storage in facts.storages.values()}
    weights |= {leaf.storage for event in trace.backwards() for leaf in event.leaves}
    for event in trace.of(Saved, StateTaken, Op):
        if isinstance(event, Op):
            model = event.name in ("clone", "copy_", "detach", "data", "numpy") and any(
                each.storage in weights for each in event.inputs
            )
        else:
            model = event.of == "module" if isinstance(event, StateTaken) else event.how != "load"
        if model and guard.inside(event):
            found.setdefault(bisect_left(passes, event.n), event)
    return list(found.values())


def at(trace: Trace, event: Event) -> Names | None:
    """The names as they were at an event that takes them down, or else at the next update."""
    later = (names for names in trace.of(Names) if event.n < names.n)
    found = next(later, None)
    return None if found is None or found.update > event.update + 1 else found


def pair(trace: Trace, event: Event, guard: Guard) -> tuple[float | None, float | None]:
    """What the value and the best one were worth when a model was kept."""
    names = at(trace, event)
    return (None, None) if names is None else (worth(names, guard.value), worth(names, guard.best))
