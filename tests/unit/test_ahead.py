"""Compiled steps in a run: their batches, and the libraries that are kept."""

import itertools
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from truestep.core.errors import TraceError
from truestep.core.ranks import Ranks
from truestep.data.batches import TensorSource
from truestep.fit import ahead, background, libraries
from truestep.fit.libraries import Libraries
from truestep.fit.worth import Worth


def test_blocks_are_the_batches_of_the_epoch_in_their_order():
    x = torch.arange(47.0).reshape(47, 1)
    cases = itertools.product([(None, 0), (3, 0), (3, 2), (3, 11)], [1, 2, 100])
    for (seed, start), most in cases:
        source = TensorSource((x, {"y": x}), 4, seed, Ranks(), torch.device("cpu"))
        expected = list(source.batches(2))[start:]
        found, here = list[Any](), ahead.Ahead(source, 3)
        for block in here.blocks(2, start, most):
            calls = block if isinstance(block, list) else []
            assert len(calls) <= most
            found += [each for call in calls for each in here.batches(call)] if calls else [block]
        expected = [each for each in expected if each is not None]
        assert len(found) == len(expected)
        assert all(torch.equal(a[0], b[0]) and torch.equal(a[1]["y"], b[1]["y"])
                   for a, b in zip(found, expected, strict=True))  # fmt: skip


class Desk:
    """Libraries, with a build that ends when it is told to, and steps whose library is so many bytes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path, wait: bool = False) -> None:
        self.kept, self.events, self.said = folder / "kept.so", list[str](), list[str]()
        self.done, self.error, self.left = wait, "", 1e6
        self.worth = Worth(1e-3, 10, 30)
        self.libraries = Libraries(wait, self.said.append)
        monkeypatch.setattr(libraries, "Build", self.build)
        monkeypatch.setattr(libraries, "kept", lambda plan: self.kept)
        monkeypatch.setattr(libraries, "LOOK", 0.0)
        monkeypatch.setattr(libraries, "JUDGED", 0.0)

    def build(self, plan: Any, aside: bool) -> Any:
        self.events.append("build")
        return self

    plan = None

    def ended(self) -> bool:
        return self.done

    def used(self) -> float:
        return 0.0

    def library(self) -> str:
        if self.error:
            raise TraceError(self.error)
        self.kept.write_bytes(b"a library")
        return str(self.kept)

    def stop(self) -> None:
        self.events.append("stop")

    def load(self, path: str) -> None:
        if Path(path).read_bytes() != b"a library":
            raise TraceError("damaged.")
        self.events.append("load")

    def want(self) -> None:
        steps: Any = self
        self.libraries.want(steps, self.worth, lambda: (0.0, self.left), lambda ready: self.events.append("ready"))


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Desk:
    return Desk(monkeypatch, tmp_path)


def test_a_library_is_taken_when_it_is_built_and_not_before(desk: Desk):
    desk.want()
    desk.libraries.look()
    assert desk.events == ["build"]
    desk.done = True
    desk.libraries.look()
    assert desk.events == ["build", "load", "ready", "stop"]
    assert not desk.libraries.busy


def test_a_library_that_is_kept_is_loaded_at_once_and_a_damaged_one_built_anew(desk: Desk):
    desk.kept.write_bytes(b"a library")
    desk.want()
    assert desk.events == ["load", "ready"]
    desk.kept.write_bytes(b"half a lib")
    desk.left = 0.0
    desk.want()
    assert desk.events == ["load", "ready"]
    assert not desk.kept.exists()
    desk.left = 1e6
    desk.want()
    assert desk.events == ["load", "ready", "build"]


def test_a_library_that_comes_too_late_is_not_loaded_and_is_kept(desk: Desk):
    desk.want()
    desk.left, desk.done = 3.0, True
    desk.libraries.look()
    assert desk.events == ["build", "stop"]
    assert desk.kept.exists()


def test_one_that_would_come_too_late_is_stopped(desk: Desk):
    desk.want()
    desk.left = 3.0
    desk.libraries.look()
    assert desk.events == ["build", "stop"]
    assert not desk.libraries.busy


def test_a_build_that_fails_is_one_sentence(desk: Desk):
    desk.want()
    desk.error, desk.done = "there is no compiler.", True
    desk.libraries.look()
    assert desk.said == ["there is no compiler."]
    assert desk.events == ["build", "stop"]


def test_who_asked_for_it_at_once_waits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    desk = Desk(monkeypatch, tmp_path, wait=True)
    desk.left = 0.0
    desk.want()
    assert desk.events == ["build", "load", "ready", "stop"]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="asks which cores a process may use")
@pytest.mark.parametrize(
    "cores, quota, threads, there",
    [(1, 4.0, 1, False), (2, 4.0, 1, True), (2, 1.0, 1, False), (2, 1.5, 1, True), (4, 4.0, 4, False)],
)
def test_a_core_is_to_spare_where_the_process_may_use_more_than_its_threads(
    cores: int, quota: float, threads: int, there: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)))
    monkeypatch.setattr(background, "_quota", lambda: quota)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert background.spare() == there
