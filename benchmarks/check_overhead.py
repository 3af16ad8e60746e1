"""What does it cost a training loop to be watched by `ts.watch`?

    python benchmarks/check_overhead.py [--json] [--rounds 9] [--steps 500] [--batch 256] [--only mlp]

The same loop runs bare and watched, one beside the other, in one process on one thread; both end in the same weights to
the bit, or no time counts. Shown are medians of the paired ratios with their quartiles, in CPU time, so that other work
on the machine does not count: for steps in the midst of a run (whole periods of close looks), for its first steps, many
of which are looked at closely, and for the judging at the end.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from sample_norms import MODELS
from truestep.check.recorder import RARELY, SECOND
from truestep.check.watch import Watching, findings

TARGETS = {"MLP 784-256-10": 1.10, "LeNet-5": 1.05}
SAMPLES = 4096


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
    parser.add_argument("--rounds", type=int, default=9, help="paired runs")
    parser.add_argument("--steps", type=int, default=2 * RARELY, help="steps in the midst of a run")
    parser.add_argument("--first", type=int, default=SECOND, help="steps before them")
    parser.add_argument("--batch", type=int, default=256, help="samples")
    parser.add_argument("--only", default="", help="part of a model's name")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    names = [name for name in MODELS if arguments.only.lower() in name.lower()]
    rows = [measured(name, arguments) for name in names]
    for line in map(json.dumps, rows) if arguments.json else table(rows):
        print(line)


def measured(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    bare_first, bare_steps, seen_first, seen_steps, judging = [], [], [], [], []
    for number in range(arguments.rounds):
        bare, seen = Loop(MODELS[name], arguments.batch), Loop(MODELS[name], arguments.batch)
        for watched in (number % 2 == 0, number % 2 == 1):
            if watched:
                with Watching() as watching:
                    seen_first.append(seen.run(arguments.first))
                    seen_steps.append(seen.run(arguments.steps))
                began = time.process_time()
                found = findings(watching.trace)
                judging.append(time.process_time() - began)
            else:
                bare_first.append(bare.run(arguments.first))
                bare_steps.append(bare.run(arguments.steps))
        assert not watching.trace.blind
        assert all(finding.level == "advice" for finding in found), found
        pairs = zip(bare.model.parameters(), seen.model.parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs), "watching changed the training"
    return {
        "model": name, "batch": arguments.batch, "rounds": arguments.rounds, "steps": arguments.steps,
        "bare_ms": round(statistics.median(bare_steps) / arguments.steps * 1e3, 2),
        "steady": spread(seen_steps, bare_steps), "first": spread(seen_first, bare_first),
        "first_steps": arguments.first, "judging_s": round(statistics.median(judging), 2), "target": TARGETS[name],
    }  # fmt: skip


def spread(seen: list[float], bare: list[float]) -> list[float]:
    """The median of the paired ratios, and their quartiles."""
    ratios = [a / b for a, b in zip(seen, bare, strict=True)]
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
