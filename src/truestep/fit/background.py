"""A library that another process builds while the run goes on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from truestep.core.errors import TraceError, TruestepError
from truestep.core.plans import Plan
from truestep.store import alive
from truestep.store.atomic import make_folder

WORKING = ".building-"
"""How the folders begin in which libraries are built, beside those that are kept."""
OLD = 600.0
"""Seconds after which a folder that nobody holds is taken for one whose owner was killed."""
START = "import sys; sys.path[:] = {path!r}; from truestep.fit.building import main; main()"


def folder() -> Path:
    """Where libraries are kept: beside those of torch's compiler where it was told a place, else with other caches."""
    told = os.environ.get("TORCHINDUCTOR_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(told) / "truestep" / "programs"


def kept(plan: Plan) -> Path:
    """Where the library of a plan is kept, be it there or not."""
    return folder() / f"{plan.key}.so"


def spare() -> bool:
    """Whether this process may use a core more than its threads need."""
    usable = getattr(os, "sched_getaffinity", None)
    cores = len(usable(0)) if usable else os.cpu_count() or 1
    return min(cores, _quota()) > torch.get_num_threads()


def _quota() -> float:
    """How many cores the container grants, which the system counts as processor time."""
    with suppress(OSError, ValueError):
        most, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return float(most) / float(period) if most != "max" else float("inf")
    return float("inf")


class Build:
    """A process that builds the library of a plan; it ends with this one, however this one ends.

    Args:
        plan: what is compiled.
        aside: whether it steps back where others want its core.

    Raises:
        TraceError: where no process can be started.
    """

    def __init__(self, plan: Plan, aside: bool) -> None:
        self.path = kept(plan)
        self.began = time.perf_counter()
        self._place = Path(_vacant(self.path.parent))
        self._lock = alive.hold(self._place)
        place = str(self._place)
        # All that compilers leave lying goes to one folder, which is removed.
        environment = os.environ | dict.fromkeys(("TORCHINDUCTOR_CACHE_DIR", "TMPDIR", "TEMP", "TMP"), place)
        command = [sys.executable, "-c", START.format(path=sys.path)]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        try:
            # A session of its own: Ctrl-C at a terminal is for the run, which then stops it.
            self._process = subprocess.Popen(command, env=environment, start_new_session=True, **pipes)
        except OSError as error:
            self._tidy()
            raise TraceError(f"no process could be started that builds it ({error}).") from error
        order = {"plan": plan.spelled(), "path": str(self.path), "folder": place, "aside": aside}
        with suppress(OSError):  # it has died, which its answer will tell
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()

    def used(self) -> float:
        """Seconds of processor time that it has taken, with all that it started: at most those on the clock."""
        with suppress(OSError, ValueError, IndexError):
            return _ticks(self._process.pid) / os.sysconf("SC_CLK_TCK")
        return time.perf_counter() - self.began  # of a system that does not tell

    def ended(self) -> bool:
        """Whether there is an answer, or somebody else has built the same library meanwhile."""
        return self._process.poll() is not None or self.path.exists()

    def library(self) -> str:
        """Where the library lies, after waiting for it.

        Raises:
            TraceError: where there is none, saying why.
        """
        if self._process.poll() is None and self.path.exists():
            return str(self.path)
        assert self._process.stdout is not None
        told = self._process.stdout.read()
        try:
            answer = json.loads(told)
        except ValueError:
            raise TraceError(f"the process that built it ended with status {self._process.wait()}.") from None
        if "error" in answer:
            raise TraceError(answer["error"])
        return answer["made"]

    def stop(self) -> None:
        """End it at once, with all that it started; what it made and nobody loaded is gone."""
        process = self._process
        if process.poll() is None:
            with suppress(OSError):
                if hasattr(os, "killpg"):
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                assert pipe is not None
                pipe.close()
        self._tidy()

    def _tidy(self) -> None:
        for _ in range(100):  # what was killed may still be about to close a file there
            shutil.rmtree(self._place, ignore_errors=True)
            if not self._place.exists():
                break
            time.sleep(0.01)
        alive.release(self._lock)
        self._lock = None


def _ticks(pid: int) -> int:
    """Processor time of a process, of what it started, and of what that did; in Linux's ticks."""
    place = Path(f"/proc/{pid}")
    # Behind the name, which may hold anything: its own, that of the system for it, and both of those that have ended.
    found = sum(map(int, (place / "stat").read_text().rpartition(")")[2].split()[11:15]))
    for task in (place / "task").iterdir():
        with suppress(OSError):  # it has ended meanwhile
            found += sum(map(_ticks, map(int, (task / "children").read_text().split())))
    return found


def _vacant(parent: Path) -> str:
    """A new folder in `parent`, or among other temporary ones where that refuses; what nobody owns is removed."""
    try:
        make_folder(parent)
        for left in parent.glob(f"{WORKING}*"):
            old = time.time() - left.stat().st_mtime > OLD
            if old and alive.fcntl is not None and not alive.is_held(left):
                shutil.rmtree(left, ignore_errors=True)
        return tempfile.mkdtemp(prefix=WORKING, dir=parent)
    except (TruestepError, OSError):
        return tempfile.mkdtemp(prefix=f"truestep{WORKING}")
