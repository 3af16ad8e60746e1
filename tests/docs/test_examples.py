"""Every example in the README, the docs and the docstrings runs as it is printed, and every command in them exists."""

import contextlib
import doctest
import importlib
import io
import re
from functools import cache
from pathlib import Path

import pytest

from house.pages import Block, blocks, commands
from truestep.cli.main import main

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "truestep"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
SHELLS = {"console", "sh", "bash", "shell"}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
TOLD = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def run_blocks(page: str, text: str) -> None:
    """Run the python blocks of a page, in order and in one namespace; a traceback points at the line of the page."""
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(text):
        if block.language not in {"python", "py", "pycon"} or block.excused:
            continue
        if ">>> " in block.code:
            test = doctest.DocTestParser().get_doctest(block.code, names, page, page, block.line - 1)
            run_doctest(test)
            names.update(test.globs)  # it worked on a copy
        else:
            exec(compile("\n" * (block.line - 1) + block.code, page, "exec"), names)


def run_doctest(test: doctest.DocTest) -> None:
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    report: list[str] = []
    runner.run(test, out=report.append, clear_globs=False)
    assert not runner.failures, "".join(report)


def unknown_commands(text: str) -> list[str]:
    """The `make` targets and `truestep` commands of a page that do not exist."""
    asked = [words for block in blocks(text) if block.language in SHELLS for words in commands(block)]
    targets = {word for program, *words in asked if program == "make" for word in words if "=" not in word}
    verbs = {words[0] for program, *words in asked if program == "truestep" and words and not words[0].startswith("-")}
    return sorted(f"make {target}" for target in targets - TARGETS) + sorted(
        f"truestep {verb}" for verb in verbs if not known(verb)
    )


@cache
def known(verb: str) -> bool:
    """Whether it has help to give: in this process, since pages name the same few commands again and again."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            return main([verb, "--help"]) == 0
        except SystemExit as end:
            return end.code in (None, 0)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Examples work in an empty folder, so that what they leave behind is nobody's."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_python_block_of_a_page_runs(page: Path):
    run_blocks(str(page), page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_of_a_page_exists(page: Path):
    assert unknown_commands(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("module", TOLD)
def test_every_docstring_example_says_what_happens(module: str):
    finder = doctest.DocTestFinder(exclude_empty=True)
    for test in finder.find(importlib.import_module(module), module):
        run_doctest(test)


# The rules above can fail


def test_blocks_share_their_names_and_a_failing_one_is_found():
    run_blocks("a.md", "```python\nx = 1\n```\n- in a list\n  ```python\n  assert x == 1\n  ```\n```text\n!\n```\n")
    run_blocks("a.md", "```python\nx = 1\n```\n```pycon\n>>> y = x + 1\n>>> y\n2\n```\n```python\nassert y == 2\n```\n")
    with pytest.raises(AssertionError, match="Expected"):
        run_blocks("a.md", "```pycon\n>>> 1 + 1\n3\n```\n")
    with pytest.raises(ZeroDivisionError) as caught:
        run_blocks("a.md", "# title\n\n```python\n1 / 0\n```\n")
    assert (caught.traceback[-1].path, caught.traceback[-1].lineno) == ("a.md", 3)  # counted from 0


def test_a_block_is_left_out_only_for_a_listed_reason():
    run_blocks("a.md", "```python no-run gpu\n1 / 0\n```\n")
    for marks in ("no-run", "no-run lazy", "skip gpu"):
        with pytest.raises(ValueError, match="line 2: a block is marked"):
            run_blocks("a.md", f"```python {marks}\n1 / 0\n```\n")
    with pytest.raises(ValueError, match="line 3: a fence is never closed"):
        list(blocks("a\n\n```python\nx\n"))


def test_a_command_that_does_not_exist_is_found():
    assert unknown_commands("```sh\nmake demo && make nothing\n```\n") == ["make nothing"]
    assert unknown_commands("```console\n$ make PYTHON=x test  # the suite\nmake up\n```\n") == []
    assert unknown_commands("```sh\nA=1 truestep nothing --x\n```\n") == ["truestep nothing"]


def test_commands_are_read_through_prompts_folders_and_settings():
    block = Block("console", (), 1, "$ TRUESTEP_DATA=d .venv/bin/truestep train \\\n  lenet5 # why\nprinted\n")
    assert list(commands(block)) == [["truestep", "train", "lenet5"]]
