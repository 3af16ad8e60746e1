"""What does it cost a training loop to be watched by `ts.watch`?

    python benchmarks/check_overhead.py [--json] [--pairs 3] [--periods 2] [--batch 256] [--only mlp] [--null]

The same loop runs bare and watched, in two processes on one thread that take turns of a few steps, so that both see the
same machine; both end in the same weights to the bit, or no time counts. A ratio is that of the CPU times of a whole
period of close looks (neighbouring turns of both), or of the first steps of a run, many of them looked at closely;
shown are medians over periods and pairs of processes with their quartiles, and the judging at the end. `--null` runs
two bare loops instead: what it shows is the noise of the measure.

The allocator of both is told to keep what it has: otherwise whichever heap happens to end in free memory gives it back
and asks for it again on every step, which is worth 5 % of a step to either, by chance.
"""

import argparse
import gc
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from sample_norms import MODELS
from truestep.check.recorder import RARELY, SECOND
from truestep.check.watch import Watching, findings

TARGETS = {"MLP 784-256-10": 1.10, "LeNet-5": 1.05}
SAMPLES = 4096
TURN = 25
"""Steps that one process makes before the other goes on."""
KEEPS = {"MALLOC_TRIM_THRESHOLD_": "4000000000", "MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TOP_PAD_": "67108864"}


class Loop:
    """A loop as people write it, that can stop after any step and go on: batches over and over, and a running loss."""

    def __init__(self, make: Callable[[], nn.Module], batch: int) -> None:
        torch.manual_seed(0)
        self.model, self.loss = make(), nn.CrossEntropyLoss()
        self.data = TensorDataset(torch.randn(SAMPLES, 1, 28, 28), torch.randint(10, (SAMPLES,)))
        self.loader = DataLoader(self.data, batch, shuffle=True, generator=torch.Generator().manual_seed(0))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01, momentum=0.9)
        self.batches, self.total = self._batches(), 0.0

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from self.loader

    def run(self, steps: int) -> float:
        """The CPU seconds of so many steps."""
        began = time.process_time()
        for _ in range(steps):
            x, y = next(self.batches)
            self.optimizer.zero_grad()
            loss = self.loss(self.model(x), y)
            loss.backward()
            self.optimizer.step()
            self.total += loss.item() * len(y)
        return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--json", action="store_true", help="one JSON object a figure")
    parser.add_argument("--pairs", type=int, default=3, help="pairs of processes")
    parser.add_argument("--periods", type=int, default=2, help="periods of close looks in the midst of a run")
    parser.add_argument("--batch", type=int, default=256, help="samples")
    parser.add_argument("--only", default="", help="part of a model's name")
    parser.add_argument("--null", action="store_true", help="two bare loops instead")
    arguments = parser.parse_args()
    names = [name for name in MODELS if arguments.only.lower() in name.lower()]
    rows = [measured(name, arguments) for name in names]
    for line in map(json.dumps, rows) if arguments.json else table(rows):
        print(line)


def measured(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    os.environ |= KEEPS
    first, steady, bare, judging = [], [], [], []
    for _ in range(arguments.pairs):
        alone, seen = Side(name, arguments.batch, False), Side(name, arguments.batch, not arguments.null)
        first.append(ratio(alone, seen, SECOND)[0])
        for _ in range(arguments.periods):
            found, seconds = ratio(alone, seen, RARELY)
            steady.append(found)
            bare.append(seconds / RARELY)
        (weights, _), (others, spent) = alone.end(), seen.end()
        assert weights == others, "watching changed the training"
        judging.append(spent)
    return {
        "model": name, "batch": arguments.batch, "pairs": arguments.pairs, "periods": arguments.periods,
        "bare_ms": round(statistics.median(bare) * 1e3, 2), "steady": spread(steady), "first": spread(first),
        "first_steps": SECOND, "judging_s": round(statistics.median(judging), 2), "target": TARGETS[name],
    }  # fmt: skip


def ratio(bare: "Side", seen: "Side", steps: int) -> tuple[float, float]:
    """The CPU time of one side over that of the other, and that of the other, over so many steps in turns."""
    spent = {bare: 0.0, seen: 0.0}
    for turn in range(steps // TURN):
        for side in (bare, seen) if turn % 2 else (seen, bare):
            spent[side] += side.run(TURN)
    return spent[seen] / spent[bare], spent[bare]


class Side:
    """A loop in a process of its own."""

    def __init__(self, name: str, batch: int, watched: bool) -> None:
        spawn = multiprocessing.get_context("spawn")  # a heap of its own, by the rules of the environment
        self._line, theirs = spawn.Pipe()
        self._process = spawn.Process(target=serve, args=(theirs, name, batch, watched))
        self._process.start()

    def run(self, steps: int) -> float:
        """The CPU seconds of so many steps."""
        self._line.send(steps)
        return self._line.recv()

    def end(self) -> tuple[list[bytes], float]:
        """The weights' bytes, and the CPU seconds of the judging."""
        self._line.send(0)
        told = self._line.recv()
        self._process.join()
        return told


def serve(line: Any, name: str, batch: int, watched: bool) -> None:
    """Run so many steps as often as asked for, watched or bare, and judge at the end."""
    torch.set_num_threads(1)
    loop = Loop(MODELS[name], batch)
    gc.collect()
    gc.freeze()  # else one collection in a period, of all that torch imported, is worth 30 steps to either side
    with Watching() if watched else nullcontext() as watching:
        while steps := line.recv():
            line.send(loop.run(steps))
    began = time.process_time()
    if watching is not None:
        found = findings(watching.trace)
        assert not watching.trace.blind
        assert all(finding.level == "advice" for finding in found), found
    judging = time.process_time() - began
    line.send(([p.detach().numpy().tobytes() for p in loop.model.parameters()], judging))


def spread(ratios: list[float]) -> list[float]:
    """The median of paired ratios, and their quartiles."""
    low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    return [round(each, 3) for each in (statistics.median(ratios), low, high)]


def table(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield "| model | bare step | ratio in the midst of a run (quartiles) | ratio at its start | judging |"
    yield "|---|---|---|---|---|"
    for row in rows:
        (ratio, low, high), (first, *_) = row["steady"], row["first"]
        words = "reached" if ratio <= row["target"] else "MISSED"
        yield (
            f"| {row['model']}, batch {row['batch']} | {row['bare_ms']} ms | {ratio} ({low} to {high}), target "
            f"{row['target']}: {words} | {first} over {row['first_steps']} steps | {row['judging_s']} s |"
        )


if __name__ == "__main__":
    main()
