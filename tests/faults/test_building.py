"""The process that builds a library ends with the run in whatever way that ends, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

import truestep as ts
from truestep.core.errors import TraceError
from truestep.core.plans import Plan
from truestep.fit import background, compiled, shapes, worth
from truestep.fit.background import Build, folder, kept
from truestep.fit.worth import Worth

pytestmark = pytest.mark.skipif(not hasattr(os, "killpg"), reason="groups of processes are POSIX")

PLAN = Plan("def program(x):\n    return [x]\n", {}, {}, [([2], [1], "torch.float32", "cpu")], False, 1)
BEGIN = """
import os, subprocess, sys, time
sys.path[:] = {path!r}
from pathlib import Path
from truestep.fit import building
def answer(order):
    place = Path(os.environ["TMPDIR"])
"""
# A compiler that never ends, and has left something lying.
ENDLESS = (
    BEGIN
    + """
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    (place / "pids").write_text(f"{{os.getpid()}} {{other.pid}}")
    time.sleep(100)
building._answer = answer
building.main()
"""
)
QUICK = (
    BEGIN
    + """
    Path(order["path"]).write_bytes(b"a library")
    return {{"made": order["path"]}}
building._answer = answer
building.main()
"""
)


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))


def until(true: Any, seconds: float = 60) -> bool:
    """Whether it comes true; a minute is for a machine that is busy."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def working() -> list[Path]:
    return list(folder().glob(f"{background.WORKING}*"))


def pids() -> list[int]:
    """The builder and its compiler, once both run."""

    def found() -> Iterator[str]:
        for place in working():
            if (place / "pids").exists():
                yield (place / "pids").read_text()

    assert until(lambda: any(len(text.split()) == 2 for text in found()))
    return [int(each) for text in found() for each in text.split()]


def below() -> list[int]:
    """What this process has started, and what those have."""
    found = [os.getpid()]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            with suppress(OSError):  # it has just ended
                found += map(int, children.read_text().split())
    return [pid for pid in found[1:] if lives(pid)]


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def gone(found: list[int]) -> bool:
    return until(lambda: not any(map(lives, found)) and not working())


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
class TestNothingIsLeft:
    def test_of_a_build_that_is_stopped(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(background, "START", ENDLESS)
        build = Build(PLAN, aside=False)
        found = pids()
        assert not build.ended()
        build.stop()
        assert not working()
        assert gone(found)

    @pytest.mark.parametrize("end", ["last epoch", "Ctrl-C", "error"])
    def test_of_a_run_that_ends(self, end: str, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(background, "START", ENDLESS)
        monkeypatch.setattr(shapes, "SEEN", 1)
        monkeypatch.setattr(worth, "LEARNING", -1.0)
        monkeypatch.setattr(compiled, "PAYS", 1e9)
        monkeypatch.setattr(Worth, "opened", lambda self, left: True)
        monkeypatch.setattr(Worth, "built", lambda self, left, used=0.0, meanwhile=0.0: True)
        found: list[int] = []

        def interrupt(event: ts.events.Event) -> None:
            if isinstance(event, ts.events.Stepped) and event.step == 30:
                found.extend(pids())
                if end == "Ctrl-C":
                    os.kill(os.getpid(), signal.SIGINT)
            if isinstance(event, ts.events.EpochEnded) and end == "error":
                data[1][:] = float("nan")

        torch.manual_seed(0)
        data = torch.randn(40, 2), torch.randn(40, 1)
        model = torch.nn.Linear(2, 1)

        def run() -> ts.Run:
            sgd = torch.optim.SGD(model.parameters(), 0.01)
            return ts.fit(model, data, torch.nn.MSELoss(), sgd, 9, 10, compile="auto", progress=False,
                          observers=[interrupt], nonfinite="raise")  # fmt: skip

        if end == "last epoch":
            assert run().notes == []
        else:
            with pytest.raises(KeyboardInterrupt if end == "Ctrl-C" else ts.NonFiniteError):
                run()
        assert len(found) == 2 or end == "error"
        assert not working()
        assert gone(found)

    @pytest.mark.long
    @pytest.mark.parametrize("end", ["last epoch", "Ctrl-C", "swap"])
    def test_of_a_run_whose_library_is_really_built(self, end: str, monkeypatch: pytest.MonkeyPatch):
        """The run ends, or is interrupted, while the compiler is at work; or goes on until compiled steps take over."""
        monkeypatch.setattr(worth, "LEARNING", -1.0)
        monkeypatch.setattr(shapes, "SEEN", 2)
        monkeypatch.setattr(compiled, "PAYS", 1e9)
        monkeypatch.setattr(Worth, "opened", lambda self, left: True)
        monkeypatch.setattr(Worth, "built", lambda self, left, used=0.0, meanwhile=0.0: True)
        torch.manual_seed(0)
        data = torch.randn(400, 2), torch.randn(400, 1)
        model, found, notes = torch.nn.Linear(2, 1), set[int](), list[str]()

        def watch(event: ts.events.Event) -> None:
            if isinstance(event, ts.events.Said):
                notes.append(event.text)
            if not isinstance(event, ts.events.EpochEnded) or event.record["epoch"] < 10:
                return
            if not found:
                assert until(lambda: found.update(below()) or len(found) > 1, 500)  # the builder, and g++ below it
                if end == "Ctrl-C":
                    os.kill(os.getpid(), signal.SIGINT)
                if end == "swap":
                    assert until(lambda: any(kept.suffix == ".so" for kept in folder().iterdir()), 500)

        def run() -> ts.Run:
            sgd = torch.optim.SGD(model.parameters(), 0.01)
            return ts.fit(model, data, torch.nn.MSELoss(), sgd, 12, 4, compile="auto", progress=False,
                          observers=[watch])  # fmt: skip

        if end == "Ctrl-C":
            with pytest.raises(KeyboardInterrupt):
                run()
        else:
            run()
        assert [note.endswith(compiled.TAKE_OVER) for note in notes] == [True] * (end == "swap")
        assert len(list(folder().glob("*.so"))) == (end == "swap")
        assert gone(list(found))
        assert not below()

    def test_of_a_run_that_is_killed(self):
        script = f"""
import time
from truestep.core.plans import Plan
from truestep.fit import background
background.START = {ENDLESS!r}
build = background.Build({PLAN!r}, aside=True)
time.sleep(100)
"""
        owner = subprocess.Popen([sys.executable, "-c", script])
        try:
            found = pids()
            assert all(map(lives, found))
        finally:
            owner.kill()
            owner.wait()
        assert gone(found)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("aside", [False, True])
def test_what_a_build_takes_is_counted_with_its_compiler_and_gives_way_where_a_core_was_free(
    aside: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(background, "START", ENDLESS.replace("import time; time.sleep(100)", "while True: pass"))
    build = Build(PLAN, aside)
    try:
        found = pids()
        assert aside or until(lambda: build.used() > 1.5)  # more than Python's own start takes
        assert build.used() <= time.perf_counter() - build.began + 0.1
        assert {os.sched_getscheduler(each) for each in found} == {os.SCHED_IDLE if aside else os.sched_getscheduler(0)}
    finally:
        build.stop()


def test_a_folder_whose_owner_was_killed_at_the_same_moment_is_removed_later(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(background, "START", QUICK)
    monkeypatch.setattr(background, "OLD", -1.0)
    left = folder() / f"{background.WORKING}left"
    left.mkdir(parents=True)
    (left / "kernel.cpp").write_text("half a")
    first = Build(PLAN, aside=False)
    second = Build(PLAN, aside=False)  # which leaves the folder of the first alone
    assert len(working()) == 2
    assert not left.exists()
    first.stop()
    second.stop()


def test_two_that_build_the_same_end_with_one_library(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(background, "START", QUICK)
    builds = [Build(PLAN, aside=False) for _ in range(2)]
    assert {build.library() for build in builds} == {str(kept(PLAN))}
    for build in builds:
        build.stop()
    assert [each.name for each in folder().iterdir()] == [kept(PLAN).name]


def test_what_somebody_else_has_built_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(background, "START", ENDLESS)
    build = Build(PLAN, aside=False)
    assert not build.ended()
    kept(PLAN).write_bytes(b"a library")
    assert build.ended()
    assert build.library() == str(kept(PLAN))
    build.stop()


@pytest.mark.parametrize(
    "start, words",
    [
        ("import sys; sys.exit(3)", "the process that built it ended with status 3."),
        (BEGIN + "    raise SystemExit\nbuilding._answer = answer\nbuilding.main()", "ended with status 0."),
    ],
)
def test_a_builder_that_dies_is_one_sentence(start: str, words: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(background, "START", start)
    build = Build(PLAN, aside=False)
    with pytest.raises(TraceError, match=words):
        build.library()
    build.stop()
    assert not working()


def test_where_no_process_can_be_started_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(TraceError, match="no process could be started that builds it"):
        Build(PLAN, aside=False)
    assert not working()
