"""The tables of docs/speed.md, made from the rows of a benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
TIERS = {"eager": "as ever", "auto": "programs", "compiled": "compiled"}
OTHERS = ("JAX", "torch.compile", "Lightning", "Accelerate", "Ignite", "skorch", "Keras", "fastai")


def page(rows: Sequence[Row], goals: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """The ways of `ts.fit` beside either loop, what compiling costs, and the other libraries, in Markdown.

    Args:
        rows: what was measured.
        goals: workload -> way -> the ratio that is to be reached: to the tutorial loop, or, where whole calls are timed
            (their rows have no `repaid_steps`), to the careful one.
    """
    found = {(row["workload"], row["way"]): row for row in rows if "us" in row}
    names = list(dict.fromkeys(row["workload"] for row in rows))
    for beside in ("tutorial", "careful"):
        yield f"\nRatios to the {beside} loop:\n"
        yield f"| workload | {' | '.join(TIERS.values())} |"
        yield "|---" * (len(TIERS) + 1) + "|"
        for name in names:
            cells = [_cell(found.get((name, way)), beside, goals.get(name, {}).get(way)) for way in TIERS]
            yield f"| {name} | {' | '.join(cells)} |"
    yield "\nWhat compiling costs, and after how many steps it is repaid beside the careful loop:\n"
    yield "| workload | set-up, s | repaid after | µs a step |"
    yield "|---|---|---|---|"
    for name in names:
        row = found.get((name, "compiled"))
        if row is not None:
            steps = row.get("repaid_steps")
            repaid = f"{steps:,} steps" if steps else "-"
            yield f"| {name} | {row['setup_s']:.2g} | {repaid} | {row['us']:,.3g} |"
    others = [way for way in OTHERS if any((name, way) in found for name in names)]
    if others:
        yield "\nRatios of the others to the careful loop:\n"
        yield f"| | {' | '.join(names)} |"
        yield "|---" * (len(names) + 1) + "|"
        for way in others:
            yield f"| {way} | {' | '.join(_middle(found.get((name, way))) for name in names)} |"


def _cell(row: Row | None, beside: str, goal: float | None) -> str:
    if row is None:
        return "-"
    middle, low, high = row[f"to_{beside}"]
    judged = "tutorial" if "repaid_steps" in row else "careful"
    words = f"{middle:g} ({low:g} to {high:g})"
    if goal is None or beside != judged:
        return words
    return f"{words}; goal {goal:g}{': **missed**' if middle < goal else ''}"


def _middle(row: Row | None) -> str:
    return "-" if row is None else f"{row['to_careful'][0]:.2g}"
