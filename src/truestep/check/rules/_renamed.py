"""Whether held-out labels are other names for the classes that a model was taught: told from its own guesses.

A model that has learned its classes calls most samples of a class by one number. Where these numbers are all different
ones, and for several classes not those of the labels, the labels go by another numbering.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from truestep.check.events import LoaderMade, LoaderStart, Op
from truestep.check.rules._scored import Pair, classes, pairs
from truestep.check.rules._ties import key, points
from truestep.check.site import Site
from truestep.check.trace import Trace

LEAST, SHARE, MOVED = 8, 0.6, 3
"""Samples of a class, the share of them that is called by one number, and the classes with a number not theirs."""
CLEAR = 0.8
"""The share of each class that is called by its number where only two classes have one that is not theirs."""
TURNED = 0.1
"""The share of guesses below which two classes stand for one another."""
LATE = 0.7
KEEPS = ("squeeze", "view", "reshape", "cpu", "to", "long", "flatten")
"""Calls that hand guesses on as they are."""


Held = tuple[tuple[str, int], tuple[tuple[str, int], ...], int]


class Renamed(NamedTuple):
    """Where they are compared, how many were compared and equal, and the classes with what they are mostly called."""

    site: Site
    compared: int
    equal: int
    names: dict[int, int]


def renamed(trace: Trace) -> Iterator[Renamed]:
    """The lines where, late in a run and without gradients, guesses are compared with labels of another numbering."""
    if trace.ops("sign", "sign_"):
        return  # attacks are made to be mistaken for others
    taken = points(trace)
    compared = [op.update for op in trace.ops("eq")] + [pair.update for pair in pairs(trace)]
    late = LATE * max(compared, default=0)
    lines: dict[Held, list[tuple[Op | Pair, Tensor, Tensor]]] = {}
    data = {made.loader: made.dataset for made in trace.of(LoaderMade)}
    starts = [(start.n, data.get(start.loader, 0)) for start in trace.of(LoaderStart)]
    for op in trace.ops("eq"):
        if op.grad or op.update < late or len(op.inputs) != 2 or op.inputs[0].shape != op.inputs[1].shape:
            continue
        for guess, label in (op.inputs, op.inputs[::-1]):
            first, second = taken.get(key(guess)), taken.get(key(label))
            if first is not None and second is not None and first.shape == second.shape and _guessed(trace, op, guess):
                lines.setdefault(_part(op, starts), []).append((op, first[:, 0], second[:, 0]))
    for pair in pairs(trace):
        guess = None if pair.several or pair.call.grad or pair.update < late else classes(pair)
        if guess is not None:
            lines.setdefault(_part(pair, starts), []).append((pair, guess.reshape(-1), pair.label.reshape(-1)))
    for held in lines.values():
        guesses = torch.cat([guess for _, guess, _ in held]).long()
        labels = torch.cat([label for _, _, label in held]).long()
        names = _names(guesses, labels)
        moved = [label for label, name in names.items() if label != name]
        turned = len(moved) == len(names) == 2 and int((guesses == labels).sum()) < TURNED * len(labels)
        if len(moved) >= MOVED or turned or (len(moved) == 2 and _skipped(names, guesses, labels)):
            yield Renamed(held[0][0].site, len(labels), int((guesses == labels).sum()), names)


def _part(one: Op | Pair, starts: list[tuple[int, int]]) -> Held:
    """The line of a comparison, who called it, and what a loader last went through: each has labels of its own."""
    at = bisect_left(starts, (one.n, 0))
    return one.site.place, one.site.callers[:1], starts[at - 1][1] if at else 0


def _skipped(names: dict[int, int], guesses: Tensor, labels: Tensor) -> bool:
    """Whether all labels from one class on are clearly called by the next number, as where one class was left out."""
    shifts = [names[label] - label for label in sorted(names)]
    clear = all(float((guesses[labels == label] == name).float().mean()) >= CLEAR for label, name in names.items())
    return clear and shifts == sorted(shifts) and set(shifts) == {0, 1} and sorted(names) == labels.unique().tolist()


def _guessed(trace: Trace, op: Op, guess: object) -> bool:
    made = trace.maker(guess, op.n)  # type: ignore[arg-type]
    while made is not None and made.inputs and made.name in KEEPS:
        made = trace.maker(made.inputs[0], made.n)
    return made is not None and made.name in ("argmax", "max") and bool(made.inputs) and len(made.inputs[0].shape) == 2


def _names(guesses: Tensor, labels: Tensor) -> dict[int, int]:
    """What each class is called; empty where one is called by several numbers, or two by the same."""
    found: dict[int, int] = {}
    for label in labels.unique().tolist():
        own = guesses[labels == label]
        if len(own) < LEAST:
            continue
        numbers, counts = own.unique(return_counts=True)
        place = int(counts.argmax())
        if int(counts[place]) < SHARE * len(own):
            return {}
        found[label] = int(numbers[place])
    return found if len(set(found.values())) == len(found) else {}
