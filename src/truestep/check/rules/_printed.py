"""Quotients that no name stands for, and a print alone shows: what the total of each pass was divided by."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from truestep.check.events import Printed
from truestep.check.rules._quotients import dividing
from truestep.check.rules._readings import Figure, Reading, readings, shown
from truestep.check.site import Site
from truestep.check.trace import Trace

OFTEN, FEW = 3, 6
DECIMAL = re.compile(r"(?<![\w.])\d+\.\d+(?![\w.])")
DIGITS = 3
SAMPLES = "the number of samples"


def printed(trace: Trace, others: dict[int, str]) -> Iterator[tuple[Site, str, str]]:
    """The lines whose passes are each followed by a print of a wrong quotient of their total, and of no right one."""
    prints = trace.of(Printed)
    for (place, kind, _), held in readings(trace).items():
        passes = [list(part) for run, part in groupby(held, key=lambda each: each.run) if run]
        ends = [part[0].n for part in passes[1:]]
        told = [
            (part, texts)
            for part, end in zip(passes, [*ends, prints[-1].n + 1 if prints else 0], strict=False)
            if (texts := decimals(prints, part[-1].n, end))
        ]
        longest = max((len(part) for part, _ in told), default=0)
        told = [each for each in told if len(each[0]) == longest]  # of others a part was not seen
        if kind not in ("mean", "sum") or len({sum(each.value for each in part) for part, _ in told}) < OFTEN:
            continue
        counts = [_counts(part, kind, others) for part, _ in told]
        for words in dict.fromkeys(words for each in counts for words in each):
            if all(words in each for each in counts) and _always(told, counts, words):
                part, texts = told[0]
                count, right, added = counts[0][words], _right(part, kind)[0], sum(each.value for each in part)
                yield (
                    dividing(Figure(part[-1].n, "", added / count, part[-1].site, tuple(reversed(part)), texts)),
                    f"{kind}s over {len(part)} batches are divided by {count}, {words.removesuffix(f', {count}')}",
                    f"{added:.6g} / {count} = {added / count:.6g} is printed, so after {len(told)} passes; with the "
                    f"right count, {right}, it is {added / right:.6g}; the batches' numbers stand on line {place[1]}",
                )
                break


def decimals(prints: Sequence[Printed], first: int, end: int) -> tuple[str, ...]:
    """The decimals of the prints that follow a pass, before the next one of its kind has begun."""
    after = [each for each in prints if first < each.n < end][:FEW]
    return tuple(text for each in after for text in DECIMAL.findall(each.text))


def _right(part: Sequence[Reading], kind: str) -> list[int]:
    """The counts by which the total of a pass may be divided."""
    rows, sizes = sum(each.rows for each in part), sum(each.size for each in part)
    return [len(part)] if kind == "mean" else [each for each in (rows, sizes) if each]


def _counts(part: Sequence[Reading], kind: str, others: dict[int, str]) -> dict[str, int]:
    """The wrong counts by which a pass's total may have been divided, by their words."""
    rows, batches, most = sum(each.rows for each in part), len(part), max(each.rows for each in part)
    if rows == batches or not rows:
        return {}
    wrong = {SAMPLES: rows} if kind == "mean" else {"the number of batches": batches}
    if kind == "sum" and batches * most != rows:
        wrong["batches times batch size, though not all are full"] = batches * most
    right = _right(part, kind)
    known = {*right, *wrong.values()}
    return wrong | {f"{words}, {count}": count for count, words in others.items() if count > 1 and count not in known}


def _plain(factor: float) -> bool:
    """Whether a number times this is more likely itself, or a half or a multiple of it, than a quotient."""
    return (2 * factor).is_integer() or ((0.5 / factor).is_integer() and factor > 0.1)


def _always(
    told: Sequence[tuple[list[Reading], tuple[str, ...]]], counts: Sequence[dict[str, int]], words: str
) -> bool:
    """Whether each pass's print shows the total over this count, and none shows it over a right one.

    Several must show enough digits of it to say something; small numbers have few.
    """
    least, sure = DIGITS - (words == SAMPLES), set[float]()
    for (part, texts), each in zip(told, counts, strict=True):
        added, right = sum(one.value for one in part), _right(part, part[0].kind)
        weighed = [(sum(one.value * one.rows for one in part), sum(one.rows for one in part))]
        sound = [(added, count) for count in right] + (weighed if part[0].kind == "mean" else [])
        values = [scale * added / each[words] for scale in (1, 100) if not _plain(scale / each[words])]
        if not any(shown(value, texts, 1) for value in values):
            return False
        sure |= {added} if any(shown(value, texts, least) for value in values) else set()
        if any(shown(scale * whole / by, texts, 1) for whole, by in sound for scale in (1, 100)):
            return False
    return len(sure) >= OFTEN
