"""Is `ts.fit` ever slower than a loop that a careful person writes by hand, set-up included, at any length of a run?

    python benchmarks/never_slower.py [--json] [--only softmax,MLP] [--lengths 1,3,10] [--longest 2] [--rounds 9]
    python benchmarks/never_slower.py --builds 3000000 --only linear  # one long run that is compiled in its midst

Whole calls of `ts.fit` with everything on that is on by default alternate with whole careful loops of as many steps,
which show their loss after each epoch, from the making of the optimizer on. One thread, CPU time; shown are medians of
the paired ratios with their quartiles.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from trainings import loops, swap, truestep_fit
from trainings.timing import names, seconds, spread
from trainings.workload import Training, Workload, workloads

LENGTHS = (1, 3, 10, 30, 100, 300, 1000, 3000, 10000)
AT_LEAST = 0.15
"""Seconds that all rounds of a short run take at least: a single one of 200 microseconds would say little."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--json", action="store_true", help="JSON lines alone, no table")
    parser.add_argument("--only", default="", help="workloads whose names hold one of these")
    parser.add_argument("--lengths", default=",".join(map(str, LENGTHS)), help="steps of a run")
    parser.add_argument("--longest", type=float, default=2.0, help="seconds that a careful loop may take")
    parser.add_argument("--rounds", type=int, default=9, help="pairs at least")
    parser.add_argument("--builds", type=int, default=0, help="instead, runs of so many steps that build a library")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    out = os.fdopen(os.dup(1), "w")
    rows = []
    with tempfile.TemporaryFile() as heard:  # what is shown goes to a file, as into a pipe
        os.dup2(heard.fileno(), 2)
        for row in _builds(arguments) if arguments.builds else _rows(arguments):
            rows.append(row)
            print(json.dumps(row), file=out, flush=True)
    if not arguments.json and not arguments.builds:
        print(*table(rows), sep="\n", file=out, flush=True)


def _rows(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    chosen = list(names(arguments.only))
    for workload in workloads():
        if workload.whole or (chosen and not any(part in workload.name.lower() for part in chosen)):
            continue
        loops.careful(workload.training(1))  # what torch loads when it is first used is nobody's set-up
        own, hand = (seconds(partial(way, run(workload, 30))) for way in (truestep_fit.as_it_comes, loops.shown))
        yield {"workload": workload.name, "first_call_of_30_steps_s": round(own, 4), "careful_s": round(hand, 4)}
        for steps in map(int, names(arguments.lengths)):
            if hand / 30 * steps <= arguments.longest:
                yield {"workload": workload.name, "steps": steps} | _paired(workload, steps, arguments.rounds)


def _builds(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Long runs whose library is built meanwhile: minutes, and a core to spare."""
    chosen = list(names(arguments.only))
    for workload in (*workloads(), swap.small()):
        if not workload.whole and (not chosen or any(part in workload.name.lower() for part in chosen)):
            yield swap.row(workload, arguments.builds)


def run(workload: Workload, steps: int) -> Training:
    """A fresh start for so many steps: of some of the data, or of all of them as often as it takes."""
    epochs = -(-steps // workload.steps)
    training = workload.training(epochs, samples=steps // epochs * workload.batch)
    return replace(training, ended=lambda weights: None)


def _paired(workload: Workload, steps: int, rounds: int) -> dict[str, Any]:
    pairs: list[tuple[float, float]] = []
    ways = [truestep_fit.as_it_comes, loops.shown]
    while len(pairs) < rounds or sum(map(sum, pairs)) < AT_LEAST:
        # Each is the first of every other pair, so that neither always finds the caches of the other.
        turn = ways if len(pairs) % 2 else ways[::-1]
        found = {way: seconds(partial(way, run(workload, steps))) for way in turn}
        pairs.append((found[ways[0]], found[ways[1]]))
    own, hand = (statistics.median(pair[k] for pair in pairs) for k in (0, 1))
    ratio = spread([theirs / ours for ours, theirs in pairs])
    return {
        "fit_ms": round(own * 1e3, 3),
        "careful_ms": round(hand * 1e3, 3),
        "to_careful": ratio,
        "verdict": "faster" if ratio[1] > 1 else "SLOWER" if ratio[2] < 1 else "even",
        "pairs": len(pairs),
    }


def table(rows: list[dict[str, Any]]) -> Iterator[str]:
    timed = [row for row in rows if "steps" in row]
    yield "\nRatios to the careful loop, set-up included (medians of pairs with quartiles).\n"
    yield "| workload | steps | fit, ms | careful, ms | ratio | |"
    yield "|---|---|---|---|---|---|"
    for row in timed:
        middle, low, high = row["to_careful"]
        cells = (
            row["workload"],
            f"{row['steps']:,}",
            row["fit_ms"],
            row["careful_ms"],
            f"{middle:g} ({low:g} to {high:g})",
        )
        yield f"| {' | '.join(map(str, cells))} | {row['verdict']} |"
    slower = [f"{row['workload']} at {row['steps']:,} steps" for row in timed if row["verdict"] == "SLOWER"]
    yield f"\nSlower, by three quarters of the pairs: {'; '.join(slower) or 'nowhere'}."


if __name__ == "__main__":
    main()
