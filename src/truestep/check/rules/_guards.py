"""The comparisons by which a program keeps its best model: `if value < best:` with what runs below it.

The source says which names are compared and what lies inside the block; what they were worth, and whether the block
ran, is in the record.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from truestep.check.changes import Saved, StateTaken
from truestep.check.events import Event, Names
from truestep.check.site import Site
from truestep.check.trace import Trace


@dataclass(frozen=True, slots=True)
class Guard:
    """`if value < best:` as `value`, `best` in the words of the source; `less` when the smaller value is kept.

    `body` are the first and last line of what runs when the value is kept, `function` those of the function around
    (of the file without one), `sets` whether the block sets `best`; `idle`: nothing in the loop around sets it, and for
    an attribute nothing but `__init__`.
    """

    site: Site
    value: str
    best: str
    less: bool
    sets: bool
    body: tuple[int, int]
    function: tuple[int, int]
    idle: bool = False

    def inside(self, event: Event) -> bool:
        """Whether something happened inside the block, or in what it called."""
        places = (event.site.place, *event.site.callers)
        return any(file == self.site.file and self.body[0] <= line <= self.body[1] for file, line in places)

    def inside_ran(self, trace: Trace) -> bool:
        """Whether anything that was recorded happened inside the block."""
        return any(self.inside(event) for event in trace.events)


def guards(trace: Trace) -> list[Guard]:
    """Every such comparison in the user's files."""
    files = {event.site.file for event in trace.events if event.site.file}
    return [guard for file in sorted(files) for guard in _of_file(file)]


def _of_file(file: str) -> Iterator[Guard]:
    lines = linecache.getlines(file)
    try:
        tree = ast.parse("".join(lines))
    except (SyntaxError, ValueError):
        return
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for node in ast.walk(tree):
        if not isinstance(node, ast.If):
            continue
        around = [f for f in functions if f.lineno <= node.lineno <= (f.end_lineno or f.lineno)]
        inner = max(around, key=lambda f: f.lineno, default=None)
        span = (1, len(lines)) if inner is None else (inner.lineno, inner.end_lineno or inner.lineno)
        site = Site(file, node.lineno, inner.name if inner else "<module>")
        for test in ast.walk(node.test):
            if isinstance(test, ast.Compare) and len(test.ops) == 1:
                for guard in _of_test(site, test, node, span):
                    yield replace(guard, idle=not guard.sets and _idle(tree, node, guard.best))


def _of_test(site: Site, test: ast.Compare, node: ast.If, span: tuple[int, int]) -> Iterator[Guard]:
    op = test.ops[0]
    if not isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE):
        return
    left, right = _words(test.left), _words(test.comparators[0])
    less = isinstance(op, ast.Lt | ast.LtE)
    for value, best, smaller in ((left, right, less), (right, left, not less)):
        for block, kept in ((node.body, smaller), (node.orelse, not smaller)):
            if not block or not best.replace(".", "").isidentifier():
                continue
            pairs = [pair for statement in block for pair in _assigned(statement)]
            sets = any(target == best for target, _ in pairs)
            takes = any(target == best and _bare(given) == _bare(value) for target, given in pairs)
            hopeful = block is node.body and any(word in best.lower() for word in ("best", "min", "max", "lowest"))
            if takes or (hopeful and not sets):
                body = (block[0].lineno, block[-1].end_lineno or block[-1].lineno)
                yield Guard(site, value, best, kept, sets, body, span)


def _idle(tree: ast.Module, node: ast.If, best: str) -> bool:
    """Whether no statement that runs each time sets this name: in the loop around, or anywhere for an attribute."""
    tail = best.rpartition(".")[2]
    around: Sequence[ast.AST] = [tree]
    if tail == best:
        loops = [each for each in ast.walk(tree) if isinstance(each, ast.For | ast.While | ast.AsyncFor)]
        around = [each for each in loops if each.lineno <= node.lineno <= (each.end_lineno or each.lineno)][:1]
    set_at = [
        each for scope in around for each in ast.walk(scope)
        if isinstance(each, ast.Name | ast.Attribute) and isinstance(each.ctx, ast.Store)
        and (each.id if isinstance(each, ast.Name) else each.attr) == tail
    ]  # fmt: skip
    first = [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
    return bool(around) and all(
        any(one.lineno <= each.lineno <= (one.end_lineno or 0) for one in first) for each in set_at
    )


def _words(node: ast.expr) -> str:
    return ast.unparse(node)


def _bare(words: str) -> str:
    """The words without what only turns a tensor into its number."""
    for end in (".item()", ".detach()", ".clone()"):
        words = words.replace(end, "")
    return words[6:-1] if words.startswith("float(") and words.endswith(")") else words


def _assigned(statement: ast.stmt) -> Iterator[tuple[str, str]]:
    """The pairs `target = value` of a statement, those of tuples one by one."""
    for node in ast.walk(statement):
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            yield ast.unparse(node.target), ast.unparse(node.value)
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            pairs: list[tuple[ast.expr, ast.expr]] = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=False))
            for one, given in pairs:
                yield ast.unparse(one), ast.unparse(given)


def kept(trace: Trace, guard: Guard) -> list[Event]:
    """The models that were kept inside the block: copied, saved, or their state taken; one for each update."""
    found: dict[int, Event] = {}
    for event in trace.of(Saved, StateTaken):
        model = event.of == "module" if isinstance(event, StateTaken) else event.how != "load"
        if model and guard.inside(event):
            found.setdefault(event.update, event)
    return list(found.values())


def at(trace: Trace, event: Event) -> Names | None:
    """The names as they were at an event that takes them down."""
    return next((names for names in trace.of(Names) if event.n < names.n <= event.n + 2), None)


def worth(names: Names, word: str, whole: bool = True) -> float | None:
    """What a name stood for; for "self.best" seen from outside the method, with not `whole`, any "....best"."""
    value = names.held.get(word)
    if value is None and not whole and "." in word:
        tail = "." + word.rpartition(".")[2]
        value = next((held for name, held in names.held.items() if name.endswith(tail)), None)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
