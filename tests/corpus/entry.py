"""One wrong program of the corpus: what is wrong with it, where, and how that is measured."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

HERE = Path(__file__).parent


class Wrong(NamedTuple):
    """A program of `wrong/` beside its corrected twin in `right/`.

    `at` is a piece of the line where the mistake stands, found in one line of the program only. `effect` takes what the
    two programs measured (their `result`, and `graph`, the number of autograd nodes that they leave alive).
    """

    name: str
    mistake: str
    at: str
    effect: Callable[[SimpleNamespace, SimpleNamespace], bool]
    also: tuple[str, ...] = ()
    ranks: int = 1

    @property
    def slug(self) -> str:
        """The rule that must name it: the name without its letter."""
        return self.name.rpartition("_")[0]

    @property
    def accepted(self) -> tuple[str, ...]:
        """The rules that may name it, its own first: some mistakes break two."""
        return (self.slug, *self.also)

    @property
    def path(self) -> Path:
        return HERE / "wrong" / f"{self.name}.py"

    @property
    def twin(self) -> Path:
        return HERE / "right" / f"{self.name}.py"

    @property
    def lines(self) -> list[int]:
        """The lines, counted from 1, that hold `at`: one, if the entry is sound."""
        text = self.path.read_text(encoding="utf-8").splitlines()
        return [number for number, line in enumerate(text, 1) if self.at in line]
