"""The fenced blocks of a page of Markdown, and what a shell block of it starts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Why a block may stand in the docs without being run: ```python no-run gpu
REASONS = {
    "gpu": "needs a GPU",
    "ranks": "is started by torchrun in several processes",
    "web": "fetches a data set",
    "wrong": "shows code that fails on purpose",
}


@dataclass(frozen=True)
class Block:
    language: str
    marks: tuple[str, ...]  # what stands behind the language on the fence
    line: int  # of the first line of code
    code: str

    @property
    def excused(self) -> bool:
        """Whether the block says, by a reason from the list, why it does not run. A reason off the list is an error."""
        if not self.marks:
            return False
        if self.marks[0] != "no-run" or self.marks[1:2] == () or self.marks[1] not in REASONS:
            raise ValueError(
                f"line {self.line}: a block is marked {' '.join(self.marks)}; known: no-run {set(REASONS)}"
            )
        return True


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order; one that is indented, in a list, is taken without its indent."""
    opened: tuple[str, str, list[str], int] | None = None
    code: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        fence = re.match(r"(\s*)(```+|~~~+)\s*(.*)$", line)
        if opened is None:
            if fence:
                indent, ticks, words = fence.groups()
                opened, code = (indent, ticks, words.split(), number + 1), []
        elif fence and fence[2].startswith(opened[1]) and not fence[3]:
            indent, _, words, first = opened
            language, *marks = words or [""]
            yield Block(language, tuple(marks), first, "\n".join(each.removeprefix(indent) for each in code) + "\n")
            opened = None
        else:
            code.append(line)
    if opened is not None:
        raise ValueError(f"line {opened[3] - 1}: a fence is never closed")


def commands(block: Block) -> Iterator[list[str]]:
    """The words of each `truestep` or `make` that a shell block starts; in a console block only the lines after a $."""
    joined = block.code.replace("\\\n", " ").splitlines()
    if block.language == "console":
        joined = [line.removeprefix("$ ") for line in joined if line.startswith("$ ")]
    for line in joined:
        for part in re.split(r"&&|;|\|", line.partition(" #")[0]):
            words = part.split()
            while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
                words = words[1:]
            if words and words[0].removeprefix(".venv/bin/") in {"truestep", "make"}:
                yield [words[0].removeprefix(".venv/bin/"), *words[1:]]
