"""Runs that are killed: a process of its own, which forks every victim, so that torch is imported once.

`kills.py FOLDER POINTS KILLS SEED`: first SIGKILL before an executed line of saves and rotations, at POINTS of all such
lines and at POINTS of those that write, rename and remove; then a real training run, killed KILLS times at random
moments and gone on with. It prints one line of JSON: `counts` says how much was tried, `faults` what went wrong.
"""

import inspect
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

os.environ["OMP_NUM_THREADS"] = "1"

import torch
from torch import nn

import truestep as ts
from truestep.core.errors import CheckpointError
from truestep.fit.writing import Writer
from truestep.store import atomic, keep
from truestep.store.atomic import leftovers
from truestep.store.checkpoint import read
from truestep.store.keep import Kept

# What the victim of `lines` saves, as (step, healthy): a step saved twice, and an unhealthy one, are among them.
SAVES = [(1, True), (2, True), (3, True), (3, True), (4, False), (5, True), (6, False), (7, True)]
NEAR = {inspect.getsourcefile(module) for module in (atomic, keep)}
EPOCHS, STEPS = 6, 60  # of the run that is killed at random: then it begins anew


def state(serial: int) -> dict[str, torch.Tensor]:
    return {"w": torch.full((50, 8), float(serial)), "b": torch.full((3,), serial, dtype=torch.bfloat16)}


def save(kept: Kept, serial: int) -> None:
    step, healthy = SAVES[serial]
    kept.save(step, state(serial), {"serial": serial}, healthy)


def victim(work: Callable[[Callable[[int], None]], None], delay: float = -1.0) -> list[int]:
    """What a forked child told (one number at each call of what it is given) before it was killed or ended."""
    listen, speak = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(listen)
            work(lambda number: os.write(speak, number.to_bytes(4, "little")) and None)
            os._exit(0)
        except BaseException as failure:  # noqa: BLE001 - a child that returned would run the tests a second time
            sys.stderr.write(f"{type(failure).__name__}: {failure}\n")
            os._exit(1)
    os.close(speak)
    told = b""
    if delay >= 0:
        told = os.read(listen, 4)  # it has begun: from now on it saves
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
    while chunk := os.read(listen, 65536):
        told += chunk
    os.close(listen)
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit("the victim failed of itself")
    return [int.from_bytes(told[k : k + 4], "little") for k in range(0, len(told), 4)]


def traced(folder: Path, tell: Callable[[int], None], last_line: int = -1) -> tuple[int, list[int]]:
    """Saves everything in `folder`; before its line number `last_line` the process dies.

    Returns how many lines were executed, and the numbers of those that write, rename and remove.
    """
    lines, near = 0, []

    def on_line(frame: Any, event: str, argument: Any) -> Any:
        nonlocal lines
        if event == "line":
            lines += 1
            if lines == last_line:
                os.kill(os.getpid(), signal.SIGKILL)
            if frame.f_code.co_filename in NEAR:
                near.append(lines)
        return on_line

    kept = Kept(folder, last=2)
    for serial in range(1, len(SAVES)):
        sys.settrace(on_line)
        save(kept, serial)
        sys.settrace(None)
        tell(serial)
    return lines, near


def healthy(serial: int) -> int:
    """The last healthy save up to `serial`."""
    return max(each for each in range(min(serial, len(SAVES) - 1) + 1) if SAVES[each][1])


def fault_of(folder: Path, saved: int) -> str:
    """What is wrong in a folder where all saves up to `saved` had returned; nothing, if all is well."""
    kept = Kept(folder, last=2)
    for path in kept.paths():
        try:
            held = read(path)
        except CheckpointError as failure:
            return f"corrupt: {failure}"
        wanted = state(held.plain["serial"])
        if set(wanted) != set(held.tensors) or not all(wanted[name].equal(held.tensors[name]) for name in wanted):
            return f"corrupt: {path} holds other numbers than were saved"
    found = kept.newest()
    if found is None or found[1].plain["serial"] not in (healthy(saved), healthy(saved + 1)):
        return f"lost: after save {saved} the newest is {found and found[1].plain}"
    kept.save(9, {}, {})  # the next process can go on, and tidies up
    return f"left over: {leftovers(folder)}" if leftovers(folder) else ""


def kill_at_lines(root: Path, points: int, seed: int) -> dict[str, Any]:
    def ready(name: str) -> Path:
        shutil.rmtree(root / name, ignore_errors=True)
        save(Kept(root / name), 0)  # the old one
        return root / name

    lines, near = traced(ready("counted"), lambda serial: None)
    draw = random.Random(seed)
    chosen = {*draw.sample(near, min(points, len(near))), *draw.sample(range(1, lines + 1), points)}
    faults = []
    for point in sorted(chosen):
        folder = ready("killed")
        told = victim(lambda tell, f=folder, p=point: traced(f, tell, p) and None)
        if told[-1:] == [len(SAVES) - 1]:
            faults.append(f"line {point} was never reached")
        if fault := fault_of(folder, told[-1] if told else 0):
            faults.append(f"line {point}: {fault}")
    return {"counts": {"kills": len(chosen), "lines": lines, "near": len(near)}, "faults": faults}


def train(folder: Path, last: int, tell: Callable[[int], None]) -> None:
    """`ts.fit`, as anyone calls it: it goes on from the newest checkpoint and saves as often as the disk keeps up.

    It tells which step is the newest on the disk, when it begins and after every step.
    """
    torch.manual_seed(0)
    random.seed(0)  # a checkpoint holds the state of python's generator too
    model = nn.Sequential(nn.Linear(20, 64), nn.Tanh(), nn.Dropout(0.2), nn.Linear(64, 5))
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    data = torch.randn(80, 20), torch.randint(0, 5, (80,))

    def watch(event: Any) -> None:
        if isinstance(event, ts.events.Started | ts.events.Stepped):
            tell(max((step_of(path) for path in Kept(folder).paths()), default=0))
            time.sleep(0.003)  # as long as a step of a small network takes

    ts.fit(
        model, data, nn.CrossEntropyLoss(), optimizer, epochs=EPOCHS, batch_size=8, validate=data, progress=False,
        checkpoint=ts.Checkpoints(folder, every=1, last=last), resume=folder.is_dir(), observers=[watch],
    )  # fmt: skip


def step_of(path: Path) -> int:
    return int(path.name.removeprefix("step-")[:10])


def alone(folder: Path) -> dict[int, Any]:
    """What the run saves at each step where nobody disturbs it and every write is waited for."""
    with mock.patch.object(Writer, "busy", False):
        train(folder, STEPS, lambda step: None)
    return {step_of(path): contents(path) for path in Kept(folder).paths()}


def contents(path: Path) -> Any:
    """All that a checkpoint holds but times and sentences, which tell of the resume, each tensor as its bytes."""
    held = read(path)
    return _lasting(held.plain), {name: (t.dtype, t.shape, t.numpy().tobytes()) for name, t in held.tensors.items()}


def same(found: Any, wanted: Any, step: int) -> bool:
    """The last step is saved twice, within its epoch and after it: its weights and moments are the same in both."""
    if step < STEPS:
        return found == wanted
    trained = [name for name in wanted[1] if name.startswith(("weights.", "updates."))]
    return bool(trained) and all(found[1][name] == wanted[1][name] for name in trained)


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lasting(each) for key, each in value.items()}
    if isinstance(value, list):  # of pairs, where it stands for a dictionary
        passing = ("seconds", "notes", "said")
        return [_lasting(each) for each in value if not (isinstance(each, list) and each and each[0] in passing)]
    return value


def kill_at_random(root: Path, kills: int, seed: int) -> dict[str, Any]:
    draw = random.Random(seed)
    began = time.monotonic()
    victim(lambda tell: train(root / "paced", 2, tell))
    pace = (time.monotonic() - began) / STEPS
    wanted = alone(root / "reference")
    faults, inside, restarts, folder, newest = [], 0, 0, root / "trained", 0
    for kill in range(kills):
        told = victim(lambda tell: train(folder, 2, tell), delay=draw.uniform(0, 5) * pace)
        inside += bool(folder.is_dir() and leftovers(folder))
        try:
            found = Kept(folder).newest()
        except CheckpointError as failure:
            faults.append(f"kill {kill}: corrupt: {failure}")
            break
        newest = step_of(found[0]) if found else 0
        if newest < told[-1]:
            faults.append(f"kill {kill}: lost: step {told[-1]} was on the disk, and the newest is {newest}")
        if found and not same(contents(found[0]), wanted[newest], newest):
            faults.append(f"kill {kill}: step {newest} is not that of the run that was left alone")
        if newest == STEPS:
            shutil.rmtree(folder)
            newest, restarts = 0, restarts + 1
    return {"counts": {"kills": kills, "within a write": inside, "runs": restarts + 1}, "faults": faults}


if __name__ == "__main__":
    place, points, kills, seed = Path(sys.argv[1]), *map(int, sys.argv[2:])
    done = {"lines": kill_at_lines(place, points, seed), "random": kill_at_random(place, kills, seed)}
    sys.stdout.write(json.dumps(done) + "\n")
