"""Notes the processes that a program starts: what they do is their own, and nobody watches it there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from truestep.check.patches import replaced
from truestep.check.recorder import Recorder
from truestep.check.site import NOWHERE, Site, site

HELPERS = ("torch.utils.data.", "torch._inductor.", "multiprocessing.")
"""Modules of targets that train nothing: workers of loaders and of the compiler, and those who keep others' books."""
PYTHON = ("python", "torchrun", "accelerate", "deepspeed")


def watches(recorder: Recorder) -> Iterator[AbstractContextManager[None]]:
    """Everything that is replaced for processes."""
    children = _Children(recorder)
    yield replaced(BaseProcess, "start", children.started)
    yield replaced(subprocess.Popen, "__init__", children.opened)
    yield replaced(os, "system", children.asked)
    if hasattr(os, "fork"):
        yield replaced(os, "fork", children.forked)


class _Children:
    """The processes that were started, by the lines that start them."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder, self._inside = recorder, 0

    def started(self, run: Any, process: Any, *args: Any, **words: Any) -> Any:
        """A process of multiprocessing, or of torch's, is started."""
        if self._recorder.awake:
            with self._recorder.looking:
                target = getattr(process, "_target", None)
                where = getattr(target, "__module__", None) or ""
                if not where.startswith(HELPERS) or where == "multiprocessing.pool":
                    self._note(_named(process, target))
        self._inside += 1
        try:
            return run(process, *args, **words)
        finally:
            self._inside -= 1

    def opened(self, run: Any, one: Any, args: Any = (), *more: Any, **words: Any) -> Any:
        """A command is started."""
        self._command(args)
        return run(one, args, *more, **words)

    def asked(self, run: Any, command: Any) -> Any:
        """A command is handed to a shell."""
        self._command(command)
        return run(command)

    def forked(self, run: Any) -> int:
        """The process forks; multiprocessing does so too."""
        if self._recorder.awake and not self._inside:
            with self._recorder.looking:
                self._note("a fork")
        return run()

    def _command(self, args: Any) -> None:
        recorder = self._recorder
        if recorder.awake:
            with recorder.looking:
                first = args.split() if isinstance(args, str) else list(args) if isinstance(args, list | tuple) else []
                name = next((Path(str(word)).name for word in first[:2] if _python(word)), "")
                if name:
                    self._note(" ".join([name, *(Path(str(word)).name for word in first[1:3])]))

    def _note(self, what: str) -> None:
        at: Site = site()
        if at is not NOWHERE:
            self._recorder.trace.note(
                f"what runs in the processes that line {at.line} of {Path(at.file).name} starts ({what}): a training "
                "there was not looked at"
            )


def _named(process: Any, target: Any) -> str:
    """What the user calls the function that a process runs."""
    given = getattr(process, "_args", ())
    if getattr(target, "__module__", "").startswith("torch.multiprocessing") and given and callable(given[0]):
        target = given[0]
    if isinstance(target, partial):
        target = target.func
    name = getattr(target, "__name__", type(process).__name__)
    return "a pool" if getattr(target, "__module__", "") == "multiprocessing.pool" else name


def _python(word: Any) -> bool:
    return Path(str(word)).name.startswith(PYTHON)
