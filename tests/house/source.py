"""A source file as the rules of the house see it: its dotted name, its text, its tree, and what it imports."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class Import:
    """One imported name: `from a.b import c` is `a.b.c`, whatever dots it was written with."""

    target: str
    line: int
    lazy: bool  # inside a function, so it runs only when that is called
    typing: bool  # under `if TYPE_CHECKING`, so it never runs

    @property
    def root(self) -> str:
        return self.target.split(".")[0]


@dataclass(frozen=True)
class Source:
    name: str  # truestep.core.loss; a package goes by its folder, truestep.core
    text: str
    package: bool = False  # relative imports of a package start at itself

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.name)

    @property
    def room(self) -> str:
        """The first name below the root package: core, fit, cli; empty for the root package itself."""
        return f"{self.name}.".split(".")[1]

    def at(self, line: int, words: str) -> str:
        return f"{self.name}:{line} {words}"

    def imports(self) -> Iterator[Import]:
        functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
        lazy = _inside(self.tree, lambda node: isinstance(node, functions))
        typing = _inside(
            self.tree, lambda node: isinstance(node, ast.If) and called(node.test).endswith("TYPE_CHECKING")
        )
        for node in ast.walk(self.tree):
            for target in self._targets(node):
                yield Import(target, getattr(node, "lineno", 0), id(node) in lazy, id(node) in typing)

    def _targets(self, node: ast.AST) -> list[str]:
        match node:
            case ast.Import(names=names):
                return [alias.name for alias in names]
            case ast.ImportFrom(module=module, names=names, level=level):
                parts = self.name.split(".")
                start = parts[: len(parts) - level + self.package] if level else []
                origin = ".".join([*start, module] if module else start)
                return [f"{origin}.{alias.name}" for alias in names]
            case ast.Call(func=function, args=[ast.Constant(value=str(target)), *_]) if called(function) in DYNAMIC:
                return [target]
        return []


DYNAMIC = {"importlib.import_module", "import_module", "__import__"}


def called(function: ast.expr) -> str:
    """The dotted name by which a function is called; the part before a call or a subscript is a bare dot."""
    match function:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            return f"{called(value)}.{attr}"
    return ""


def _inside(tree: ast.AST, wanted: Callable[[ast.AST], bool]) -> set[int]:
    return {id(inner) for outer in ast.walk(tree) if wanted(outer) for inner in ast.walk(outer)}


def sources(folder: Path, name: str) -> list[Source]:
    """Every Python file under `folder`, which goes by the dotted `name`."""
    found = []
    for path in sorted(folder.rglob("*.py")):
        parts = [name, *path.relative_to(folder).with_suffix("").parts]
        package = parts[-1] == "__init__"
        found.append(Source(".".join(parts[:-1] if package else parts), path.read_text(encoding="utf-8"), package))
    return found
