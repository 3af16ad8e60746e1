"""The budgets: what bounds the worst file and the longest function."""

import ast

from house.source import Source

FILE_LINES = 300
FUNCTION_LINES = 40
RECIPE_LINES = 99
LESSON_LINES = 119


def long_file(source: Source, most: int) -> list[str]:
    lines = len(source.text.splitlines())
    return [source.at(lines, f"has {lines} lines; the budget is {most}")] if lines > most else []


def long_functions(source: Source, most: int) -> list[str]:
    return [
        source.at(node.lineno, f"{node.name} has {length} lines of code; the budget is {most}")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (length := _lines_of_code(source, node)) > most
    ]


def _lines_of_code(source: Source, function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function, signature included, less its docstring, blank lines and comments.

    A function inside counts towards the one around it: hiding code in a closure does not make it shorter.
    """
    lines = set(range(function.lineno, (function.end_lineno or function.lineno) + 1))
    if ast.get_docstring(function) is not None:
        lines -= set(range(function.body[0].lineno, (function.body[0].end_lineno or 0) + 1))
    texts = source.text.splitlines()
    return sum(bool(text) and not text.startswith("#") for line in lines for text in [texts[line - 1].strip()])
