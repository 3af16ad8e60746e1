"""Scores that a program makes of lists and arrays: what was read of a model's outputs, beside what was read of labels.

Torch sees neither the comparison nor the score. But it is known what was read, so each score that is usually made of
the two can be made again, and is recognised by its value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from truestep.check.events import Forward, LoaderStart, Number, Op
from truestep.check.looks import Seen
from truestep.check.site import Site
from truestep.check.trace import Trace

Place = tuple[str, int]
FEW = 12
"""Classes of which more than a share of hits is made."""


@dataclass(frozen=True, slots=True)
class Read:
    """What a program read of a tensor, at event `n`; `call` is the forward whose outputs it was made of, if any."""

    n: int
    update: int
    site: Site
    of: Seen | None
    held: Tensor
    call: Forward | None
    turn: int
    run: int = 0


class Pair(NamedTuple):
    """A guess and the labels that it was read with, one for one: guessed classes, or numbers."""

    n: int
    update: int
    site: Site
    guess: Tensor
    label: Tensor
    call: Forward
    made: Seen | None
    run: int
    several: bool = False


def pairs(trace: Trace) -> list[Pair]:
    """The guesses of a run with their labels, batch by batch; and, where an evaluation read several, all of them."""
    return trace.once(_paired)


def _paired(trace: Trace) -> list[Pair]:
    return list(_pairs(trace))


def _pairs(trace: Trace) -> Iterator[Pair]:
    reads = _reads(trace)
    labels = [each for each in reads if each.call is None]
    found: dict[tuple[Place, int], list[Pair]] = {}
    alone: dict[tuple[Place, int], list[Read]] = {}
    for read in reads:
        if read.call is None:
            continue
        near = [each for each in labels if abs(each.turn - read.turn) <= 1 and _fit(read.held, each.held)]
        mate = min(near, key=lambda each: (each.turn != read.turn, abs(each.n - read.n)), default=None)
        which = (read.site.place, read.update)
        if mate is None:
            alone.setdefault(which, []).append(read)
        else:
            pair = _pair(read, [read], mate.held)
            found.setdefault(which, []).append(pair)
            yield pair
    for held in found.values():
        if len(held) > 1 and len({each.guess.shape[1:] for each in held}) == 1:
            guess, label = torch.cat([each.guess for each in held]), torch.cat([each.label for each in held])
            yield held[-1]._replace(guess=guess, label=label, several=True)
    for which, held in alone.items():
        size = sum(len(each.held) for each in held)
        mate = next((each for each in reversed(labels) if each.held.shape == (size,)), None)
        if which not in found and mate is not None and len({each.held.shape[1:] for each in held}) == 1:
            yield _pair(held[-1], held, mate.held)


def _pair(last: Read, held: Sequence[Read], label: Tensor) -> Pair:
    assert last.call is not None
    guess = torch.cat([each.held for each in held])
    if guess.dim() == 2 and guess.shape[1] == 1:
        guess = guess[:, 0]
    label = label.reshape(-1) if label.dim() == 2 and label.shape[1] == 1 else label
    return Pair(last.n, last.update, last.site, guess, label, last.call, last.of, last.run, len(held) > 1)


def _fit(guess: Tensor, label: Tensor) -> bool:
    """Whether one may be scored against the other."""
    if guess.shape[:1] != label.shape[:1]:
        return False
    return guess.shape == label.shape or label.dim() == 1 or (guess.dim() == 1 and label.shape == (*guess.shape, 1))


def _reads(trace: Trace) -> list[Read]:
    """All that was read as lists or arrays, in order; what is known of a line from close looks holds for the others."""
    numbers = {number.n: number for number in trace.of(Number)}
    calls = {out.number: call for call in trace.of(Forward) if call.depth == 0 for out in call.outputs}
    told: list[tuple[Op, Number | None, int, int, Forward | None, int]] = []
    kinds: dict[tuple[Place, int], set[bool]] = {}
    turn, count, last, run = 0, dict[Place, int](), None, 0
    for event in trace.of(Forward, LoaderStart, Op):
        if isinstance(event, LoaderStart):
            run = event.run
        elif isinstance(event, Forward):
            if event.depth == 0:
                turn, count, last = turn + 1, {}, event
        elif event.name == "told":
            place = event.site.place
            count[place] = count.get(place, 0) + 1
            number = numbers.get(event.n - 1)
            call = _behind(trace, number.of, number.n, calls) if number is not None and event.close else None
            if event.close:
                kinds.setdefault((place, count[place]), set()).add(call is not None)
            told.append((event, number, turn, count[place], call or (None if event.close else last), run))
    return [
        Read(
            op.n, op.update, op.site, number.of if number is not None else None,
            torch.tensor(op.words["numbers"], dtype=torch.float64).view(op.args[1]),
            call if kinds.get((op.site.place, at)) == {True} else None, turn, run,
        )
        for op, number, turn, at, call, run in told if len(kinds.get((op.site.place, at), ())) == 1
    ]  # fmt: skip


def _behind(trace: Trace, seen: Seen, before: int, calls: dict[int, Forward], most: int = 40) -> Forward | None:
    """The call of a model that a tensor was made of."""
    behind = (calls.get(one.number) for one, _ in trace.back([seen], before, most))
    return next((call for call in behind if call is not None and call.n < before), None)


def classes(pair: Pair) -> Tensor | None:
    """The classes that were guessed, one a label; None where what was read are no guesses of classes."""
    guess, label = pair.guess, pair.label
    if not bool((label == label.round()).all()) or not label.numel():
        return None
    if guess.dim() == 2 and label.dim() == 1 and guess.shape[1] > 1:
        return guess.argmax(1).double()
    if guess.shape != label.shape:
        return None
    if bool((guess == guess.round()).all()):
        return guess
    return (guess > 0.5).double() if set(label.unique().tolist()) <= {0.0, 1.0} else None


def scores(pair: Pair) -> Iterator[tuple[str, bool, float]]:
    """What is usually made of a guess and its labels: the name, whether it rises with hits, and its value."""
    guess = classes(pair)
    if guess is not None:
        yield "accuracy", True, float((guess == pair.label).double().mean())
        kinds = torch.cat([guess.reshape(-1), pair.label.reshape(-1)]).unique()
        if 1 < len(kinds) <= FEW:
            yield from _by_class(guess, pair.label, kinds)
        if bool((pair.guess == pair.guess.round()).all()):
            return
    if pair.guess.shape == pair.label.shape:
        apart = pair.guess - pair.label
        yield "squared error", False, float(apart.square().mean())
        yield "absolute error", False, float(apart.abs().mean())
        spread = float((pair.label - pair.label.mean()).square().mean())
        if spread:
            yield "R squared", True, 1 - float(apart.square().mean()) / spread


def _by_class(guess: Tensor, label: Tensor, kinds: Tensor) -> Iterator[tuple[str, bool, float]]:
    hits = torch.stack([((guess == kind) & (label == kind)).double().sum() for kind in kinds])
    said = torch.stack([(guess == kind).double().sum() for kind in kinds])
    real = torch.stack([(label == kind).double().sum() for kind in kinds])
    f1, recall = 2 * hits / (said + real), hits / real.clamp_min(1)
    yield "F1", True, float(f1[-1])
    yield "macro F1", True, float(f1.mean())
    yield "recall", True, float(recall[-1])
    yield "precision", True, float((hits / said.clamp_min(1))[-1])
    yield "mean recall", True, float(recall.mean())
