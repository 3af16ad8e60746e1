"""Times that can be compared on a machine which others use: each epoch beside an epoch of the loops."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch

from trainings import loops
from trainings.workload import Training, Weights, Workload

Contender = Callable[[Training], None]
WARM = 3
"""Epochs that are not timed."""


def clock() -> float:
    """Seconds: CPU time on one thread, that of compilers among them, and wall time on several."""
    if torch.get_num_threads() > 1:
        return time.perf_counter()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


class Paired:
    """Times each epoch of a contender, and an epoch of either loop right after it."""

    def __init__(self, workload: Workload, rounds: int) -> None:
        epochs = rounds + WARM + 2
        self.loops = [each(workload.training(epochs)) for each in (loops.careful_epochs, loops.tutorial_epochs)]
        for loop in self.loops:
            next(loop)
        self.rows: list[tuple[float, ...]] = []
        self.own, self.began = 0.0, clock()

    def ended(self, weights: Any) -> None:
        row = [clock() - self.began]
        self.own += row[0]
        if len(self.rows) >= WARM:
            row += [seconds(lambda loop=loop: next(loop)) for loop in self.loops]
        self.rows.append(tuple(row))
        self.began = clock()


def steady(workload: Workload, contender: Contender, rounds: int) -> dict[str, Any]:
    """Epochs after the first ones beside those of the loops; what all epochs took beyond that was set-up."""
    _loops_once(workload)
    paired = Paired(workload, rounds)
    training = workload.training(rounds + WARM, paired.ended)
    paired.began = clock()
    contender(training)
    rows, steps = paired.rows[WARM:], workload.steps
    own = statistics.median(row[0] for row in rows)
    hand = statistics.median(row[1] for row in rows)
    setup = paired.own - own * len(paired.rows)
    return {
        "us": round(own / steps * 1e6, 2),
        "careful_us": round(hand / steps * 1e6, 1),
        "to_careful": spread([row[1] / row[0] for row in rows]),
        "to_tutorial": spread([row[2] / row[0] for row in rows]),
        "setup_s": round(setup, 4),
        "repaid_steps": round(setup / (hand - own) * steps) if setup > 0 and hand > own else None,
    }


def whole(workload: Workload, contender: Contender, rounds: int) -> dict[str, Any]:
    """Whole calls with all of their set-up, beside those of the loops; the very first call for itself."""
    _loops_once(workload)
    ways = [contender, loops.careful, loops.tutorial]
    rows: list[list[float]] = []
    for number in range(rounds + 1):
        trainings = [workload.training(workload.whole) for _ in ways]
        rows.append([seconds(lambda w=way, t=t: w(t)) for way, t in zip(ways, trainings, strict=True)])
        if number == 0 and rows[0][0] > 20 * rows[0][1]:  # a compiler: more calls would say nothing new
            break
    first, later = rows[0], rows[1:] or rows
    own, hand = (statistics.median(row[k] for row in later) for k in (0, 1))
    steps = workload.whole * workload.steps
    return {
        "us": round(own / steps * 1e6, 2),
        "careful_us": round(hand / steps * 1e6, 1),
        "to_careful": spread([row[1] / row[0] for row in later]),
        "to_tutorial": spread([row[2] / row[0] for row in later]),
        "setup_s": round(first[0] - own if rows[1:] else first[0] - first[1], 4),
    }


def _loops_once(workload: Workload) -> None:
    """What torch loads when it is first used is nobody's set-up."""
    for loop in (loops.careful, loops.tutorial):
        loop(workload.training(1))


def away(workload: Workload, contender: Contender, epochs: int = 4) -> float:
    """How far a step leads away from the careful loop's from the same weights: the worst of some, by entry.

    Relative to the largest entry of each parameter. An epoch is one step here.
    """
    seen: list[Weights] = []

    def note(weights: Callable[[], Weights]) -> None:
        seen.append({name: each.clone() for name, each in weights().items()})

    training = workload.training(epochs, note, workload.batch)
    note(training.weights)
    reference = workload.training(1, samples=workload.batch)
    contender(training)
    if len(seen) != epochs + 1:
        raise RuntimeError(f"{len(seen) - 1} epochs were seen to end, of {epochs}")
    found = 0.0
    for before, after in pairwise(seen):
        expected = loops.one_step(reference.model, reference, before)
        for name, each in expected.items():
            off = (after[name] - each).abs().max() / each.abs().max()
            found = max(found, float(off.nan_to_num(float("inf"))))
    return found


def spread(ratios: Sequence[float]) -> list[float]:
    """Median and quartiles."""
    low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else list(ratios) * 3
    return [float(f"{each:.3g}") for each in (middle, low, high)]


def seconds(run: Callable[[], Any]) -> float:
    began = clock()
    run()
    return clock() - began


def quiet_failures(measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What a contender that breaks leaves: a row that says why, and not the end of the benchmark."""
    try:
        return measure()
    except Exception as error:  # noqa: BLE001 - whatever a rival dies of
        return {"result": f"failed: {type(error).__name__}: {str(error).strip().splitlines()[0][:100]}"}


def names(only: str) -> Iterator[str]:
    yield from (name.strip().lower() for name in only.split(",") if name.strip())
