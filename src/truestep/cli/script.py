"""Run somebody's program as python itself would: with its own arguments, its folder on the path, its `__main__`."""

from __future__ import annotations

import importlib.util
import runpy
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

import truestep as ts
from truestep.cli import CLEAN
from truestep.cli.notebook import Notebook

OURS = (str(Path(__file__).parent), "<frozen runpy>", "<frozen importlib")
"""Where a frame of a traceback is ours to hide: between the program's own first line and us."""


@dataclass(frozen=True, slots=True)
class Program:
    """A script, or with `module` a module as `python -m` finds it, and its own arguments."""

    name: str
    args: tuple[str, ...] = ()
    module: bool = False

    def __str__(self) -> str:
        return f"-m {self.name}" if self.module else self.name


def start(program: Program, ended: Callable[[dict[str, Any], bool], None] | None = None) -> int:
    """Run a program to its end, and return the exit status that python would have left with.

    `sys.argv`, `sys.path[0]` and `__main__` are the program's own, so that what it pickles, and the workers that it
    starts, find their way; its output is not touched. Where it fails its traceback is on stderr, without our frames,
    as `sys.excepthook` shows it. `SystemExit` is taken as python takes it; KeyboardInterrupt passes through. `ended`
    is given the program's global names at its end, however that came, and whether an exception or Ctrl-C broke it off.

    Raises:
        ConfigError: where there is no such script or module, or nothing that can be read.
    """
    with _as_main(program):
        run, broken = _module(program) if program.module else _script(program), True
        try:
            run()
            broken = False
        except SystemExit as left:
            broken = False
            return _status(left)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the program's own, and is shown as such
            from truestep.check.frames import prune

            sys.stdout.flush()
            prune(error)
            shown = error.with_traceback(_own(error.__traceback__))
            sys.excepthook(type(shown), shown, shown.__traceback__)
            return 1
        finally:
            if ended is not None:
                ended(vars(sys.modules["__main__"]), broken)
            with suppress(OSError, ValueError):  # the program may have closed it
                sys.stdout.flush()
    return CLEAN


def _status(left: SystemExit) -> int:
    if left.code is None or isinstance(left.code, int):
        return left.code or 0
    print(left.code, file=sys.stderr)  # as python does with a sentence
    return 1


@contextmanager
def _as_main(program: Program) -> Iterator[None]:
    """The process as the program finds it, and afterwards as it was."""
    argv, path, main = sys.argv, list(sys.path), sys.modules["__main__"]
    folder = Path.cwd() if program.module else Path(program.name).resolve().parent
    sys.argv, sys.path[:1] = [program.name, *program.args], [str(folder)]
    try:
        yield
    finally:
        sys.argv, sys.path[:], sys.modules["__main__"] = argv, path, main


class _Script:
    """A file of Python, read and compiled before anything of it runs."""

    def __init__(self, name: str) -> None:
        self.main = ModuleType("__main__")
        path = str(Path(name).absolute())
        own = {"__file__": path, "__cached__": None, "__loader__": SourceFileLoader("__main__", path)}
        vars(self.main).update(own, __builtins__=__builtins__)
        self.name, self.source = name, Path(name).read_bytes()

    def __call__(self) -> None:
        code = compile(self.source, self.name, "exec", dont_inherit=True)
        sys.modules["__main__"] = self.main
        exec(code, vars(self.main))


def _script(program: Program) -> Callable[[], Any]:
    path = Path(program.name)
    if path.is_dir():
        raise ts.ConfigError(f"{path} is a folder: give the script in it that is to be run.")
    try:
        return Notebook(program.name) if path.suffix == ".ipynb" else _Script(program.name)
    except FileNotFoundError:
        raise ts.ConfigError(f"there is no script {path}: give a file of Python, and then its own arguments.") from None
    except OSError as error:
        raise ts.ConfigError(f"{path} cannot be read ({error.strerror}): give a file of Python.") from None


def _module(program: Program) -> Callable[[], Any]:
    try:
        found = importlib.util.find_spec(program.name)
    except (ImportError, ValueError):
        found = None
    if found is None:
        raise ts.ConfigError(f"there is no module {program.name} here: give one as python -m would find it.")
    return lambda: runpy.run_module(program.name, run_name="__main__", alter_sys=True)


def _own(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the program's own first frame on; nothing where it never came to run, as for bad syntax."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(OURS):
        trace = trace.tb_next
    return trace


def cut(words: Sequence[str], takes: Mapping[str, int], anywhere: Callable[[str], bool]) -> tuple[list[str], list[str]]:
    """The words of a command line that are ours, and from the program's name on those that are the program's.

    Options of ours stand before the name or right behind it; the first word that is none of them begins the program's
    own, and so do `--` and an option of ours that was given before the name. `-m NAME` names a module.

    Args:
        words: the command line, from the command on.
        takes: options of ours -> how many values each takes.
        anywhere: whether options of ours are taken from anywhere behind this name, as behind that of a recipe.
    """
    ours, rest = list(words[:1]), list(words[1:])
    name: list[str] = []
    own: list[str] = []
    before: set[str] = set()
    while rest:
        word = rest.pop(0)
        option = word.partition("=")[0]
        if option in takes and not (name and option in before):
            before |= set() if name else {option}
            ours += [word, *(rest.pop(0) for _ in range(takes[option] if word == option else 0) if rest)]
        elif not name and word == "-m" and rest:
            name = [word, rest.pop(0)]
        elif not name and not word.startswith("-"):
            name = [word]
        elif not name:
            ours.append(word)  # nobody knows it: the parser says so
        elif anywhere(name[-1]):
            own.append(word)
        else:
            return ours, [*name, *([] if word == "--" else [word]), *rest]
    return ours, [*name, *own]
