"""A long run in whose midst compiled steps take over: what was expected of its build, and what it took."""

from __future__ import annotations

import os
import re
import tempfile
import time
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

import truestep as ts
from trainings import loops, truestep_fit
from trainings.timing import clock, seconds
from trainings.workload import Training, Workload
from truestep.fit.libraries import Libraries

SOME = 20_000
"""Steps from which the time of as many as the run has is told, where each takes as long as any other."""


def small() -> Workload:
    """A perceptron whose step is small enough to be compiled several a call."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(3200, 20, generator=generator)
    targets = torch.randint(10, (3200,), generator=generator)

    def data() -> tuple[Tensor, Tensor]:
        return inputs, targets

    def make() -> nn.Module:
        return nn.Sequential(nn.Linear(20, 64), nn.Tanh(), nn.Linear(64, 10))

    return Workload("MLP 20-64-10, batch 32", "mlp", make, data, nn.CrossEntropyLoss(), 32, 0.05, {})


def row(workload: Workload, steps: int) -> dict[str, Any]:
    """One run of so many steps that finds no library, and as many steps in the other ways."""
    epochs = steps // workload.steps
    found = _run(workload, epochs)
    few = max(1, SOME // workload.steps)
    for name, way in (("exact", truestep_fit.exact), ("careful", loops.careful)):
        took = seconds(partial(way, _quiet(workload.training(few))))
        found[f"{name}_s"] = round(took / few * epochs, 2)
    return {"workload": workload.name, "run_of_steps": epochs * workload.steps} | found


def _run(workload: Workload, epochs: int) -> dict[str, Any]:
    """What one run by `compile="auto"` did."""
    expected: dict[str, Any] = {}
    want = Libraries.want

    def asked(self: Any, compiled: Any, worth: Any, left: Any, ready: Any) -> None:
        expected.update(program_us=round(worth.each * 1e6, 1), expected_build_s=round(worth.building, 1),
                        expected_saving_us=round(worth.saved * 1e6, 1))  # fmt: skip

        def told(steps: Any) -> None:
            expected["waited_s"] = round(time.perf_counter() - began, 2)
            ready(steps)

        want(self, compiled, worth, left, told)

    training = workload.training(epochs)
    with tempfile.TemporaryDirectory() as folder:
        before, os.environ["TORCHINDUCTOR_CACHE_DIR"] = os.environ.get("TORCHINDUCTOR_CACHE_DIR"), folder
        Libraries.want = asked
        try:
            began, ours, all_ = time.perf_counter(), time.process_time(), clock()
            run = ts.fit(
                training.model, training.data, training.loss, training.optimizer(), epochs, workload.batch,
                compile="auto",
            )  # fmt: skip
            wall, ours, all_ = time.perf_counter() - began, time.process_time() - ours, clock() - all_
            left = [each for _, folders, files in os.walk(folder) for each in (*folders, *files)]
        finally:
            Libraries.want = want
            os.environ.pop("TORCHINDUCTOR_CACHE_DIR")
            if before is not None:
                os.environ["TORCHINDUCTOR_CACHE_DIR"] = before
    took_over = [int(step) for note in run.notes for step in re.findall(r"from step (\d+) on steps are compiled", note)]
    later = [record["seconds"] / record["steps"] for record in run.history[-20:]]
    return expected | {
        "took_over_at_step": took_over[0] if took_over else None,
        "compiled_us": round(sorted(later)[len(later) // 2] * 1e6, 2),
        "wall_s": round(wall, 2),
        "run_cpu_s": round(ours, 2),
        "build_cpu_s": round(all_ - ours, 2),
        "with_build_cpu_s": round(all_, 2),
        "left_on_disk": sorted(each for each in left if each not in ("truestep", "programs")),
    }


def _quiet(training: Training) -> Training:
    return replace(training, ended=lambda weights: None)
