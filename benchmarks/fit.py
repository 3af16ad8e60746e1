"""How fast does `ts.fit` train, beside loops written by hand, torch.compile, JAX and other libraries?

    python benchmarks/fit.py [--json] [--only softmax,MLP] [--ways eager,traced] [--rounds 15] [--threads 1,2]

Epochs of a contender alternate with epochs of the careful and of the tutorial loop: shown are medians of the paired
ratios. A time counts only after single steps were compared with the careful loop's from the same weights.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch

from rivals import LIBRARIES
from trainings import libraries, loops, truestep_fit
from trainings.pages import page
from trainings.timing import Contender, away, names, quiet_failures, steady, whole
from trainings.workload import Workload, workloads

THREADS = int(os.environ.get("FIT_THREADS", "0"))
"""0 in the process that starts one for each number of threads."""
SAME = {"float32": 1e-6, "float64": 1e-12}
"""How far a step may lead away from the careful loop's from the same weights, by the largest entry of a parameter."""
EXACT = ("eager", "traced", "compiled", "auto", "tutorial", "JAX")
"""Contenders whose steps are compared in float64 too."""
COMPILERS = ("compiled", "torch.compile")
"""Contenders that no run of 300 steps repays: they are left out there, unless they are asked for."""
TITLES = ("Lightning", "fastai", "skorch", "Ignite", "Accelerate", "Keras")


def main() -> None:
    arguments = _arguments()
    if not THREADS:
        _in_processes(arguments)
        return
    torch.set_num_threads(THREADS)
    out = os.fdopen(os.dup(1), "w")
    with tempfile.TemporaryFile() as heard:  # what libraries print goes to a file, as into a pipe
        os.dup2(heard.fileno(), 1)
        os.dup2(heard.fileno(), 2)
        for row in _rows(arguments):
            print(json.dumps(row), file=out, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--json", action="store_true", help="JSON lines alone, no table")
    parser.add_argument("--only", default="", help="workloads whose names hold one of these")
    parser.add_argument("--ways", default="", help="contenders, all that are installed by default")
    parser.add_argument("--rounds", type=int, default=15, help="paired epochs of each contender")
    parser.add_argument("--threads", default="1", help="1, 2 or 1,2: a process for each")
    parser.add_argument("--cache", default="", help="a folder of compiled programs; a new one by default")
    return parser.parse_args()


def _in_processes(arguments: argparse.Namespace) -> None:
    """One process for each number of threads, whose lines make the tables."""
    for threads in arguments.threads.split(","):
        rows = []
        with tempfile.TemporaryDirectory() as folder:
            environment = os.environ | _environment(threads, arguments.cache or folder)
            command = [sys.executable, *sys.argv]
            with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
                assert child.stdout is not None
                for line in child.stdout:
                    rows.append(json.loads(line))
                    print(line, end="", flush=True)
        if not arguments.json:
            print(*table(rows, threads), sep="\n")
            print(*page(rows, {each.name: each.goals for each in workloads()}), sep="\n")


def _environment(threads: str, cache: str) -> dict[str, str]:
    """As many threads for everybody, no GPU, and compilers that work where their time is seen."""
    several = str(threads != "1").lower()
    return {
        "FIT_THREADS": threads,
        "OMP_NUM_THREADS": threads,
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_cpu_multi_thread_eigen={several} intra_op_parallelism_threads={threads}",
        "TORCHINDUCTOR_CACHE_DIR": cache,
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }


def contenders(kind: str) -> Iterator[tuple[str, Contender]]:
    for tier in ("auto", "eager", "traced", "compiled"):
        yield tier, getattr(truestep_fit, tier)
    yield "tutorial", loops.tutorial
    yield "torch.compile", loops.compiled
    if importlib.util.find_spec("jax"):
        from trainings import in_jax

        yield "JAX", partial(in_jax.train, kind)
    for library in LIBRARIES:
        if library.title in TITLES and library.version:
            yield library.title, libraries.Rival(library)


def _rows(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    chosen, ways = list(names(arguments.only)), list(names(arguments.ways))
    for workload in workloads():
        if chosen and not any(part in workload.name.lower() for part in chosen):
            continue
        for name, contender in contenders(workload.kind):
            repaid = not (workload.whole and name in COMPILERS)
            if name.lower() in ways or (not ways and repaid):
                common = {"workload": workload.name, "way": name, "threads": THREADS}
                row = quiet_failures(partial(_row, workload, name, contender, arguments.rounds))
                yield common | row


def _row(workload: Workload, name: str, contender: Contender, rounds: int) -> dict[str, Any]:
    """The time first, since its set-up is that of a first call; then whether it counts."""
    found = (whole if workload.whole else steady)(workload, contender, rounds)
    off = {"float32": away(workload, contender)}
    if name in EXACT:
        off["float64"] = away(workload.double(), contender)
    shown = {f"away_{dtype}": float(f"{each:.1e}") for dtype, each in off.items()}
    if any(each > SAME[dtype] for dtype, each in off.items()):
        return {"result": "differs", **shown}
    return found | shown


def table(rows: list[dict[str, Any]], threads: str) -> Iterator[str]:
    kind = "CPU time" if threads == "1" else "wall time"
    yield f"\n{threads} thread(s), {kind}; ratios are medians of pairs with their quartiles.\n"
    heads = ("workload", "way", "µs a step", "to the careful loop", "to the tutorial loop", "set-up, s", "repaid after")
    yield f"| {' | '.join(heads)} |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        cells = [row["workload"], row["way"]]
        if "us" in row:
            steps = row.get("repaid_steps")
            ratios = [f"{m:g} ({low:g} to {high:g})" for m, low, high in (row["to_careful"], row["to_tutorial"])]
            cells += [row["us"], *ratios, row["setup_s"], "" if steps is None else f"{steps:,} steps"]
        else:
            cells += ["", row["result"], "", "", ""]
        yield f"| {' | '.join(map(str, cells))} |"
    yield ""
    for workload in workloads():
        for row in rows:
            goal = workload.goals.get(row["way"])
            if row["workload"] == workload.name and goal and "us" in row:
                beside = "careful" if workload.whole else "tutorial"
                found = row[f"to_{beside}"][0]
                words = "reached" if found >= goal else "MISSED"
                yield f"- {workload.name}, {row['way']}, to the {beside} loop: {found:g}, goal {goal:g}: {words}"


if __name__ == "__main__":
    main()
