"""What does a training loop cost beside the arithmetic? Microseconds a step above a bare loop written by hand.

    python benchmarks/loop_overhead.py [--json] [--only ts.fit,Keras] [--rounds 9]

Same model, optimizer and batches in the same order. Every run is paired with a bare run beside it, in one process on
one thread; a time counts only if the final weights are those of the bare loop. Shown are the median of the paired
differences with its quartiles, in CPU time, so that other work on the machine does not count, and the milliseconds that
an import takes above that of torch.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from rivals import LIBRARIES, Library, chosen
from rivals.problem import Outcome, Pairs, Problem, weights_of

STEPS, EPOCHS = 100, 3  # an epoch has 100 steps; the first warms up, the others are timed, their ends included
TARGET_US, TARGET_IMPORT_MS = 100, 50
SAME = 1e-5


@dataclass(frozen=True)
class Workload:
    """A model whose step is cheap, so that what surrounds it shows."""

    name: str
    sizes: Sequence[int]
    batch: int
    lr: float

    def problem(self) -> tuple[Problem, "Timed"]:
        torch.manual_seed(0)
        inputs = torch.randn(STEPS * self.batch, self.sizes[0])
        data = Pairs(inputs, inputs[:, :2].sum(dim=1, keepdim=True) + 1)
        model = Timed(self.sizes)
        batches = Ready([data[at : at + self.batch] for at in range(0, len(data), self.batch)])
        losses = {"mse": (1.0, nn.MSELoss())}
        return Problem(model, losses, data, self.batch, lr=self.lr, epochs=EPOCHS, batches=batches), model


WORKLOADS = (
    Workload("linear regression 2-1, batch 10", (2, 1), 10, 0.03),
    Workload("MLP 20-64-64-1, batch 32", (20, 64, 64, 1), 32, 0.01),
)


class Timed(nn.Module):
    """A perceptron that notes the CPU time at each forward pass."""

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])
        self.times: list[float] = []

    def forward(self, inputs: Tensor) -> Tensor:
        self.times.append(time.process_time())
        return self.layers(inputs)

    def microseconds(self) -> float:
        """A step, over all epochs but the first, from the last forward pass of one to that of another."""
        steps = STEPS * (EPOCHS - 1)
        return (self.times[-1] - self.times[-1 - steps]) / steps * 1e6


class Ready(Dataset):
    """Batches that are ready: slices of the data."""

    def __init__(self, batches: list[tuple[Tensor, Tensor]]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        if index >= len(self.batches):
            raise IndexError(index)
        return self.batches[index]


def bare(problem: Problem) -> Outcome:
    """The loop that a person writes by hand."""
    optimizer, loss_of = problem.optimizer(), nn.MSELoss()
    inputs, targets = problem.data.inputs, problem.data.targets
    for _ in range(problem.epochs):
        for at in range(0, len(inputs), problem.micro):
            loss = loss_of(problem.model(inputs[at : at + problem.micro]), targets[at : at + problem.micro])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return Outcome()


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)
    os.environ |= {"CUDA_VISIBLE_DEVICES": "", "TOKENIZERS_PARALLELISM": "false"}
    libraries = chosen(arguments.only)
    installed = [library for library in libraries if library.version]
    out = os.fdopen(os.dup(1), "w")
    rows: list[dict[str, Any]] = []
    with _quiet():
        for row in _rows(installed, arguments.rounds):
            rows.append(row)
            if arguments.json:
                print(json.dumps(row), file=out, flush=True)
    if not arguments.json:
        missing = [library.title for library in libraries if not library.version]
        print(
            _table(rows, installed),
            *([f"- Not installed: {', '.join(missing)}."] if missing else []),
            sep="\n",
            file=out,
        )


def _rows(libraries: Sequence[Library], rounds: int) -> Iterator[dict[str, Any]]:
    for workload in WORKLOADS:
        yield from _overheads(workload, libraries, rounds)
    yield from _imports(libraries)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--json", action="store_true", help="one JSON object a figure")
    parser.add_argument("--markdown", action="store_true", help="the table, for a page (the default)")
    parser.add_argument("--only", default="", help=f"libraries: {', '.join(x.title for x in LIBRARIES)}")
    parser.add_argument("--rounds", type=int, default=9, help="paired runs of each library")
    return parser.parse_args()


@contextmanager
def _quiet() -> Iterator[None]:
    """What libraries print goes to a file, as into a pipe: progress is written, and no terminal is drawn on."""
    with tempfile.TemporaryFile("w+") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
        yield


def _overheads(workload: Workload, libraries: Sequence[Library], rounds: int) -> Iterator[dict[str, Any]]:
    """Rounds over all libraries, each run beside a bare one; in every second round the bare one comes after."""
    pairs: dict[str, list[tuple[float, float]]] = {library.title: [] for library in libraries}
    broken: dict[str, str] = {}
    truth = _run(workload, bare)[1]
    for number in range(rounds + 1):
        for library in libraries:
            if library.title in broken:
                continue
            try:
                pair, away = _pair(workload, library, truth, bare_first=number % 2 == 0)
            except Exception as error:  # noqa: BLE001 - a rival that breaks is a row, not the end of the benchmark
                broken[library.title] = f"failed: {type(error).__name__}: {str(error)[:100]}"
                continue
            if away > SAME:
                broken[library.title] = f"failed: its weights are {away:.1e} away from those of the bare loop"
            elif number:  # the first round warms up
                pairs[library.title].append(pair)
    for library in libraries:
        row = {"workload": workload.name, "library": library.title, "version": library.version}
        yield row | ({"result": broken[library.title]} if library.title in broken else _spread(pairs[library.title]))


def _pair(
    workload: Workload, library: Library, truth: list[Tensor], bare_first: bool
) -> tuple[tuple[float, float], float]:
    trains = [bare, library.load().train]
    runs = [_run(workload, train) for train in (trains if bare_first else trains[::-1])]
    (hand, _), (theirs, weights) = runs if bare_first else runs[::-1]
    size = sum(float(weight.square().sum()) for weight in truth)
    away = sum(float((a - b).square().sum()) for a, b in zip(weights, truth, strict=True))
    return (hand, theirs), (away / size) ** 0.5


def _run(workload: Workload, train: Any) -> tuple[float, list[Tensor]]:
    problem, model = workload.problem()
    train(problem)
    return model.microseconds(), list(weights_of(model))


def _spread(pairs: Sequence[tuple[float, float]]) -> dict[str, Any]:
    extra = [theirs - hand for hand, theirs in pairs]
    low, _, high = statistics.quantiles(extra, n=4) if len(extra) > 1 else (extra * 3)
    return {
        "bare_us": round(statistics.median(hand for hand, _ in pairs), 1),
        "extra_us": round(statistics.median(extra), 1),
        "quartiles_us": [round(low, 1), round(high, 1)],
        "ratio": round(statistics.median(theirs / hand for hand, theirs in pairs), 3),
        "rounds": len(pairs),
    }


# Byte code goes to a folder of its own: where Python writes none, one would otherwise time its compiler.
IMPORT = """
import importlib, sys, time, torch
folder, module, torchvision, sys.pycache_prefix = sys.argv[1:]
sys.dont_write_bytecode = False
sys.path.insert(0, folder)
if torchvision:
    import rivals
    rivals.without_torchvision()
began = time.process_time()
importlib.import_module(module)
print(time.process_time() - began)
"""


def _imports(libraries: Sequence[Library]) -> Iterator[dict[str, Any]]:
    """The least CPU time of several fresh processes, in each of which torch was imported before."""
    environment = os.environ | {"KERAS_BACKEND": "torch", "PYTHONWARNINGS": "ignore"}
    for library in {library.module: library for library in reversed(libraries)}.values():
        seconds: list[float] = []
        with tempfile.TemporaryDirectory() as cache:
            arguments = [str(Path(__file__).parent), library.module, "yes" if library.torchvision else "", cache]
            while len(seconds) < (3 if seconds and seconds[-1] > 1 else 9):
                command = [sys.executable, "-c", IMPORT, *arguments]
                found = subprocess.run(command, env=environment, capture_output=True, text=True)
                if found.returncode:
                    break
                seconds.append(float(found.stdout.split()[-1]))
        figures = {"import_ms": round(min(seconds) * 1e3, 1)} if seconds else {"result": "failed: import"}
        yield {"workload": "import above torch", "library": library.title, **figures}


def _table(rows: Sequence[dict[str, Any]], libraries: Sequence[Library]) -> str:
    """A row a library, a column a workload, then whether truestep reaches its targets."""
    found = {(row.get("workload"), row["library"]): row for row in rows}
    bares = [
        statistics.median(row["bare_us"] for row in rows if row.get("workload") == w.name and "bare_us" in row)
        for w in WORKLOADS
    ]
    heads = [f"{w.name}: µs above a bare {b:.0f} µs (quartiles), ratio" for w, b in zip(WORKLOADS, bares, strict=True)]
    lines = [f"| loop | {' | '.join(heads)} | import, ms |", "|---|---|---|---|"]
    for library in libraries:
        cells = [_shown(found[workload.name, library.title]) for workload in WORKLOADS]
        seconds = found.get(("import above torch", library.title), {})
        lines.append(f"| {library.title} {library.version} | {' | '.join(cells)} | {seconds.get('import_ms', '')} |")
    own = [row for row in rows if row["library"].startswith("ts.")]
    lines += [""] + [f"- {_reached(row)}" for row in own if "extra_us" in row or "import_ms" in row]
    return "\n".join(lines)


def _shown(row: dict[str, Any]) -> str:
    if "extra_us" not in row:
        return str(row["result"])
    low, high = row["quartiles_us"]
    return f"{row['extra_us']:.0f} ({low:.0f} to {high:.0f}), {row['ratio']:.2f}"


def _reached(row: dict[str, Any]) -> str:
    figure, target, unit = (
        (row["extra_us"], TARGET_US, "µs a step") if "extra_us" in row else (row["import_ms"], TARGET_IMPORT_MS, "ms")
    )
    words = "reached" if figure < target else "MISSED"
    return f"{row['library']}, {row['workload']}: {figure:.1f} {unit}, target {target}: {words}"


if __name__ == "__main__":
    main()
