"""How much faster does a study train that is one tensor program, beside loops over its models, JAX and processes?"""

import argparse
import importlib.util
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import Any

# One thread for everybody; JAX reads this when it is imported.
os.environ |= {
    "OMP_NUM_THREADS": "1",
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}

import torch
from torch.utils.flop_counter import FlopCounterMode

from studies import equality, loops, stacks
from studies.study import Study, studies

PRODUCTS, CACHED, MEMORY, CACHE = 103e9, 83e9, 28e9, 2**20
"""The floors: multiplications and additions of matrix products a second, bytes a second within `CACHE` and beyond."""


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)
    rows = []
    for study in studies():
        if arguments.only in study.name:
            for row in measured(study, arguments.rounds, arguments.processes):
                rows.append(row)
                print(json.dumps(row), flush=True)
    if not arguments.json:
        print(*table(rows), sep="\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="JSON lines alone, no table")
    parser.add_argument("--only", default="", help="studies whose name holds this")
    parser.add_argument("--rounds", type=int, default=5, help="paired runs of each way")
    parser.add_argument("--processes", action="store_true", help="joblib with 2 processes too, in wall time")
    return parser.parse_args()


def measured(study: Study, rounds: int, processes: bool) -> Iterator[dict[str, Any]]:
    """A row a way: set-up first, then rounds over all ways, each beside a careful loop."""
    sample = study.points[:: max(1, len(study.points) // study.sampled)]
    scale = len(study.points) / len(sample)

    def careful() -> float:
        return scale * seconds(lambda: loops.careful(study, sample))

    careful()
    common = {"study": study.name, "variants": len(study.points), "steps": study.steps, "loops_on": len(sample)}
    yield {**common, "way": "tutorial loop", **spread(
        [(careful(), scale * seconds(lambda: loops.tutorial(study, sample))) for _ in range(2)])}  # fmt: skip
    makers: dict[str, Callable[[Study], Any]] = {tier: partial(stacks.Stacked, tier=tier) for tier in stacks.TIERS}
    wide: dict[str, Callable[[], Any]] = {}
    if importlib.util.find_spec("jax"):
        from studies.in_jax import Jax

        makers["JAX"], wide["JAX"] = Jax, Jax.wide
    ways, found = {}, {}
    for name, make in makers.items():
        hand, began = careful(), time.process_time()
        way = make(study)
        way.run()
        first = time.process_time() - began
        equal = equality.judged(study, way, make, wide.get(name, nullcontext))
        found[name] = {"first_s": round(first, 3), "first_ratio": round(hand / first, 2), **equal.row()}
        if equal.holds:
            ways[name] = way
    pairs: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            hand = careful()
            way.begin()
            pairs[name].append((hand, seconds(way.train)))
    for name, figures in found.items():
        row = {**common, "way": name, **figures, **(spread(pairs[name]) if name in pairs else {"result": "differs"})}
        yield row | break_even(row, study)
    hand = careful()
    began = time.process_time()
    stacks.swept(study)
    first = time.process_time() - began
    yield {**common, "way": "ts.sweep", "first_s": round(first, 3), "first_ratio": round(hand / first, 2)}
    if processes and importlib.util.find_spec("joblib"):
        yield {**common, "way": "joblib, 2 processes, wall", **spread([in_processes(study, sample) for _ in range(3)])}
    yield {**common, "way": "floor", **floor(study)}


def break_even(row: dict[str, Any], study: Study) -> dict[str, Any]:
    """After how many steps the set-up is repaid beside the careful loop."""
    if "ratio" not in row:
        return {}
    setup, saved = row["first_s"] - row["seconds"], row["careful_s"] - row["seconds"]
    return {
        "setup_s": round(setup, 3),
        "break_even_steps": round(setup / saved * study.steps, 1) if saved > 0 else None,
    }


def in_processes(study: Study, sample: list[dict[str, Any]]) -> tuple[float, float]:
    from joblib import Parallel, delayed

    began = time.perf_counter()
    loops.careful(study, sample)
    hand = time.perf_counter() - began
    halves = [sample[::2], sample[1::2]]
    with Parallel(2) as pool:
        pool(delayed(loops.careful)(study, sample[:1]) for _ in halves)  # the workers start
        began = time.perf_counter()
        pool(delayed(loops.careful)(study, half) for half in halves)
        return hand, time.perf_counter() - began


def floor(study: Study) -> dict[str, Any]:
    """What a step cannot take less than: its products, and its weights read and written once."""
    with FlopCounterMode(display=False) as counter:
        row = study.order(0, 1)[: study.batch_size]
        loops.one_step(study, study.points[0], study.made(0).state_dict(), row)
    held = 2 * sum(each.nbytes for each in study.made(0).parameters()) * len(study.points)
    operations = counter.get_total_flops() * len(study.points) / PRODUCTS
    moved = held / (CACHED if held < CACHE else MEMORY)
    return {"products_us": round(operations * 1e6, 1), "bytes_us": round(moved * 1e6, 1),
            "seconds": round(max(operations, moved) * study.steps, 5)}  # fmt: skip


def seconds(run: Callable[[], Any]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


def spread(times: list[tuple[float, float]]) -> dict[str, Any]:
    ratios = [hand / way for hand, way in times]
    low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    return {
        "careful_s": round(statistics.median(hand for hand, _ in times), 4),
        "seconds": round(statistics.median(way for _, way in times), 5),
        "ratio": round(statistics.median(ratios), 2),
        "quartiles": [round(low, 2), round(high, 2)],
    }


def table(rows: list[dict[str, Any]]) -> Iterator[str]:
    heads = (
        "study",
        "way",
        "ratio to the careful loop, steady (quartiles)",
        "first run with set-up",
        "repaid after, steps",
    )
    yield f"\n| {' | '.join(heads)} |"
    yield "|---|---|---|---|---|"
    for row in rows:
        low, high = row.get("quartiles", (0, 0))
        steady = f"{row['ratio']:g} ({low:g} to {high:g})" if "ratio" in row else row.get("result", "")
        if row["way"] == "floor":
            steady = f"{row['seconds'] * 1e3:.2f} ms: products {row['products_us']} µs a step, bytes {row['bytes_us']}"
        cells = (row["study"], row["way"], steady, row.get("first_ratio", ""), row.get("break_even_steps", ""))
        yield f"| {' | '.join(map(str, cells))} |"
    sampled = ", ".join(sorted({f"{r['loops_on']} of {r['variants']}" for r in rows}))
    yield f"\nThe loops ran {sampled} variants; their time is scaled."
    for study in studies():
        own = [row for row in rows if row["study"] == study.name]
        steady = [row["ratio"] for row in own if row["way"] in stacks.TIERS and "ratio" in row]
        first = [row["first_ratio"] for row in own if row["way"] == "ts.sweep"]
        for what, found, goal in (("steady", steady, study.goal), ("first run", first, study.first_goal)):
            if found:
                words = "reached" if max(found) >= goal else "MISSED"
                yield f"{study.name}, {what}: {max(found):g}, target {goal:g}: {words}"


if __name__ == "__main__":
    main()
