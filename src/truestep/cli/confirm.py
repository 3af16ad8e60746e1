"""Runs a checked script again, once with the mend of each finding and once as it is, and settles the findings."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

import truestep as ts
from truestep.check.again import Again, numbers, read
from truestep.check.confirm import Ground, Offer, Rerun, offers, ordered, same, settled, untried
from truestep.check.finding import Finding
from truestep.check.report import Report
from truestep.check.trace import Trace
from truestep.cli.script import Program
from truestep.cli.show import say
from truestep.cli.stdin import Stdin
from truestep.store import atomic

PATIENCE, TIMES = 60.0, 3.0
"""A rerun may take so many seconds, and so many times what the script took, before it is ended."""
START = "import sys; sys.path[0] = {!r}; from truestep.cli.again import main; main(sys.argv[1])"


class Failed(Exception):
    """A rerun gave no numbers; says why, to follow "the script"."""


@dataclass
class Surroundings:
    """What a script finds when it starts, kept so that it finds the same once more."""

    program: Program
    steps: int | None
    folder: str = field(default_factory=os.getcwd)
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    stdin: Stdin = field(default_factory=Stdin)


def confirm(report: Report, trace: Trace, found: Surroundings, seconds: float) -> None:
    """Settle the findings of a report; whatever goes wrong, they stay, with a sentence that says so."""
    tried, rest = offers(report.findings, trace)
    if int(found.environment.get("WORLD_SIZE", "1") or 1) > 1:
        alone = "the script runs on several ranks, and is not started again on all of them"
        report.findings = ordered([untried(each, alone) for each in report.findings])
        return
    if tried:
        gc.collect()
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()  # the reruns need what the first run needed
        runs = _Runs(found, seconds, found.steps or Again.most(trace), len(tried) + 1)
        done, words = runs.all(tried, numbers(trace, None))
        report.findings = ordered([*done, *rest])
        report.reruns = words
    else:
        report.findings = ordered(rest)


class _Runs:
    """The reruns of one script, those with a mend first: what it writes to files is in the end its own."""

    def __init__(self, found: Surroundings, seconds: float, most: int, count: int) -> None:
        self._found, self._most, self._count, self._made = found, most, count, 0
        self._patience = PATIENCE + TIMES * seconds

    def all(self, tried: list[Offer], first: dict[str, Any]) -> tuple[list[Finding], str]:
        """The findings as they are settled, and a sentence about the runs."""
        mended: list[Rerun | Failed] = []
        try:
            with _terminated_as_interrupted():
                for each in tried:
                    mended.append(self._tried([each.order(live=True)], f"with {each.words}"))
                ground = self._ground(tried, first)
        except KeyboardInterrupt:
            why = "the reruns were interrupted"
            words = f"{why}: what the script writes may be that of a run with a mend"
            return [untried(each.finding, why) for each in tried], words
        except Failed as error:
            return [untried(each.finding, f"run once more as it is, the script {error}") for each in tried], (
                f"{self._made} reruns"
            )
        found = []
        for place, (each, rerun) in enumerate(zip(tried, mended, strict=True)):
            if isinstance(rerun, Failed):
                found.append(untried(each.finding, f"with {each.words}, the script {rerun}"))
            else:
                found.append(settled(each, place, rerun, ground))
        words = f"{self._made} more runs of the script, the last one as it is; what it writes to files it wrote again"
        return found, words

    def _tried(self, orders: list[dict[str, Any]], words: str) -> Rerun | Failed:
        try:
            return self._run(orders, words)
        except Failed as error:
            return error

    def _ground(self, tried: list[Offer], first: dict[str, Any]) -> Ground:
        """The script as it is, once; and once more where it does not do what it did while it was watched."""
        orders = [each.order(live=False) for each in tried]
        ground = self._run(orders, "as it is")
        if same(ground, first):
            return Ground(ground, None, True)
        self._count += 1
        again = self._run(orders, "as it is, since it draws other numbers each time")
        return Ground(ground, None if same(ground, again) else again, False)

    def _run(self, orders: list[dict[str, Any]], words: str) -> Rerun:
        self._made += 1
        say(f"confirm: run {self._made} of {self._count}, {words}")
        with tempfile.TemporaryDirectory(prefix="truestep-") as folder:
            program = self._found.program
            order = {"name": program.name, "args": program.args, "module": program.module}
            told = order | {"orders": orders, "most": self._most}
            atomic.write_text(Path(folder) / "order.json", json.dumps(told))
            status = self._start(folder)
            answer = Path(folder) / "told.json"
            if status or not answer.exists():
                raise Failed(f"ended with status {status} before it could be measured")
            found = json.loads(answer.read_text(encoding="utf-8"))
        if found["error"]:
            raise Failed(f"failed ({found['error']})")
        return read(found)

    def _start(self, folder: str) -> int:
        source = str(Path(ts.__file__).resolve().parents[1])
        command = [sys.executable, "-c", START.format(source), folder]
        environment = {"PYTHONHASHSEED": "0"} | self._found.environment
        given, held = self._found.stdin.again()
        with subprocess.Popen(
            command, stdin=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self._found.folder,
            env=environment,
        ) as process:  # fmt: skip
            try:
                process.communicate(held, timeout=self._patience)
            except subprocess.TimeoutExpired:
                raise Failed(f"was still running after {self._patience:.0f} s, and was ended") from None
            finally:
                if process.poll() is None:
                    process.kill()
        return process.returncode


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Inside, SIGTERM interrupts as Ctrl-C does, so that the findings are still told."""

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    was = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        with suppress(TypeError):  # a handler that was not set from Python
            signal.signal(signal.SIGTERM, was)
