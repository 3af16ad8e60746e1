"""What does saving cost a training loop? The same loop bare, with truestep's checkpoints, and with `torch.save`.

All ways train the same network by the same `ts.fit`, and save as often: weights, moments, random state. `torch.save`
writes over its last file, as most scripts do; "and fsync" makes it as lasting as ours: temporary file, fsync, rename.
The ways take turns; a ratio is that of a way to the bare loop of its own round, by the clock and by the processor time
of the thread that trains, which a busy machine disturbs less. Prints one JSON line a way and size on stdout, and on
stderr a table with the median and the quartiles over the rounds.
"""

import argparse
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

import truestep as ts
from truestep.fit.events import Stepped

SIZES = {"MLP 784-256-10": (784, 256, 256, 10), "MLP 784-1024-10": (784, 1024, 1024, 10)}
BATCH = 128
Run = dict[str, float]


class Clock:
    """Sees every step: when it ended, and what a way of saving does then."""

    def __init__(self, every: int, save: Callable[[], None] | None) -> None:
        self.every, self.save, self.ends, self.used = every, save, [], []

    def __call__(self, event: Any) -> None:
        if isinstance(event, Stepped):
            if self.save is not None and event.step % self.every == 0:
                self.save()
            self.ends.append(time.perf_counter())
            self.used.append(time.thread_time())


def saver(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, lasting: bool) -> Callable[[], None]:
    def save() -> None:
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "torch": torch.get_rng_state()}
        if not lasting:
            torch.save(state, path)
            return
        with path.with_suffix(".tmp").open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        path.with_suffix(".tmp").replace(path)

    return save


def run(way: str, sizes: tuple[int, ...], steps: int, every: int) -> Run:
    """Seconds of all steps from the first save on, by both clocks, and the longest step in milliseconds."""
    torch.manual_seed(0)
    layers = [part for a, b in itertools.pairwise(sizes) for part in (nn.Linear(a, b), nn.ReLU())]
    model = nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(model.parameters())
    data = torch.randn(BATCH * every, sizes[0]), torch.randint(0, sizes[-1], (BATCH * every,))
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "state.pt"
        by_hand = {"torch.save": False, "torch.save and fsync": True}
        save = saver(path, model, optimizer, by_hand[way]) if way in by_hand else None
        clock = Clock(every, save)
        keep = ts.Checkpoints(Path(name) / "kept", every=every, last=1) if way == "truestep" else None
        ts.fit(model, data, nn.CrossEntropyLoss(), optimizer, epochs=steps // every, batch_size=BATCH, shuffle=False,
               checkpoint=keep, progress=False, observers=[clock])  # fmt: skip
        over = time.perf_counter()
        size = sum(file.stat().st_size for file in Path(name).rglob("*") if file.is_file())
    laps = [b - a for a, b in itertools.pairwise(clock.ends[every - 2 :])]
    return {
        "seconds": sum(laps),
        "used": clock.used[-1] - clock.used[every - 2],
        "worst_ms": 1e3 * max(laps),
        "last_ms": 1e3 * (over - clock.ends[-1]),
        "megabytes": size / 2**20,
    }


WAYS = ("bare loop", "truestep", "torch.save", "torch.save and fsync")


def quartiles(values: list[float]) -> tuple[float, float, float]:
    low, middle, high = statistics.quantiles(values, n=4)
    return round(low, 3), round(middle, 3), round(high, 3)


def report(size: str, rounds: list[dict[str, Run]], options: argparse.Namespace) -> None:
    saves = options.steps // options.every
    for way in WAYS:
        found: dict[str, Any] = {}
        for clock in ("seconds", "used"):
            found[f"ratio_{clock}"] = quartiles([each[way][clock] / each["bare loop"][clock] for each in rounds])
            costs = [1e3 * (each[way][clock] - each["bare loop"][clock]) / saves for each in rounds]
            found[f"ms_a_save_{clock}"] = quartiles(costs)
        for name in ("worst_ms", "last_ms"):
            found[name] = quartiles([each[way][name] for each in rounds])
        found["megabytes"] = round(rounds[0][way]["megabytes"], 1)
        shape = {"steps": options.steps, "every": options.every, "rounds": options.rounds, "load": os.getloadavg()[0]}
        print(json.dumps({"benchmark": "save_cost", "size": size, "way": way, **shape, **found}), flush=True)
        columns = "".join(
            f"{middle:8.3f} ({low:.3f} to {high:.3f})".ljust(28)
            for low, middle, high in (found["ratio_seconds"], found["ratio_used"])
        )
        cost, worst = found["ms_a_save_used"][1], found["worst_ms"][1]
        print(f"{size:17}{way:22}{columns}{cost:9.2f}{worst:12.1f}", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--only", choices=SIZES, default=None)
    parser.add_argument("--every", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    heads = f"{'ratio by the clock':28}{'ratio of the thread':28}{'ms a save':>9}{'worst step':>12}"
    print(f"{'network':17}{'way':22}{heads}", file=sys.stderr)
    for size, sizes in SIZES.items():
        if options.only not in (None, size):
            continue
        run("truestep", sizes, 2 * options.every, options.every)  # warm
        rounds = []
        for number in range(options.rounds):
            order = [*WAYS[number % len(WAYS) :], *WAYS[: number % len(WAYS)]]
            rounds.append({way: run(way, sizes, options.steps, options.every) for way in order})
        report(size, rounds, options)


if __name__ == "__main__":
    main()
