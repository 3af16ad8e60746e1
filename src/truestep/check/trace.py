"""The record of a run, and the questions that rules ask of it.

A rule gets a finished `Trace`. `trace.events` holds all events in order (see `events.py`: what each kind holds);
`trace.of(Step, Backward)` those of some kinds. What is asked often is answered here:

- `trace.name(number)`: a parameter as "Net.fc1.weight", a module as "Net.fc1";
- `trace.modules[number]`: kind, parameters, children of every module that was called or lives at the end;
- `trace.maker(seen, before=n)`: the `Op` that made a tensor; `trace.users(seen, after=n)`: those that it went into;
- `trace.chain(seen)`: the makers, from the tensor back along one way; `trace.back(seen)`: along all ways, with the
  tensors between; `trace.behind(backward)`: all calls behind a backward pass;
- `trace.losses()`: loss functions with prediction, target, reduction; `trace.backwards()`: passes that fill `.grad`;
- `trace.updates()`: every change of weights by an optimizer or by hand, in order, with the passes since the last one;
- `trace.passes()`: passes over loaders with their batches; `trace.trained`: leaves that received gradients;

Sparse looks: only the first updates of a run and a sample of the others are looked at closely (`event.close`). A rule
that compares neighbours must check that both are close; a rule that counts uses the events that are always there:
Forward at depth 0, Backward, Clear, Step, Batch, loaders, schedulers, Number, Mode. Never take a missing close look for
evidence. `trace.blind` says what could not be seen, and `trace.note(...)` adds to it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, TypeVar

from truestep.check.changes import Backward, OptimizerMade, Step
from truestep.check.events import Batch, Event, LoaderEnd, LoaderMade, LoaderStart, Names, Op
from truestep.check.looks import Seen

Kind = TypeVar("Kind", bound=Event)
Made = TypeVar("Made")
Key = TypeVar("Key", int, str)
LOSSES = {
    "cross_entropy", "nll_loss", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "kl_div", "gaussian_nll_loss", "poisson_nll_loss", "hinge_embedding_loss",
    "margin_ranking_loss", "multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss",
    "soft_margin_loss", "triplet_margin_loss", "cosine_embedding_loss", "ctc_loss",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ModuleFacts:
    """A module: its class, its parameters as name -> number (all below it), its children as name -> number.

    `buffers` maps names to storages, `storages` the parameters' names to storages, `frozen` are the numbers of the
    parameters that need no gradient; `torch` says whether the class is torch's own; `hidden` are the parameters in its
    plain lists and dicts, which it does not register. `settings` are its plain attributes, and those of its parameters
    that are true or false, as `weight.name`.
    """

    kind: str
    parameters: dict[str, int]
    children: dict[str, int]
    storages: dict[str, int]
    buffers: dict[str, int]
    frozen: frozenset[int]
    torch: bool
    settings: dict[str, Any]
    hidden: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class LossCall:
    """A call of one of torch's losses: what was compared, and how; `op.out[0].values` is its value on a close look."""

    op: Op
    name: str
    prediction: Seen
    target: Seen
    reduction: str


@dataclass(frozen=True, slots=True)
class Update:
    """A change of weights: by an optimizer (`step`), or by hand (`by_hand`: the leaves that changed, seen at `at`).

    `backwards` are the passes since the update before it. For an update by hand `at` is the event that showed it.
    """

    at: Event
    step: Step | None
    by_hand: tuple[int, ...]
    backwards: tuple[Backward, ...]


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over a loader; `whole` when it came to its end."""

    loader: LoaderMade | None
    start: LoaderStart
    batches: tuple[Batch, ...]
    whole: bool


@dataclass(slots=True)
class Trace:
    """All that was seen of a run."""

    events: list[Event] = field(default_factory=list)
    modules: dict[int, ModuleFacts] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    living: set[int] = field(default_factory=set)
    blind: list[str] = field(default_factory=list)
    updates_made: int = 0
    finished: bool = False
    broken: bool = False
    _sorted: tuple[int, dict[type[Event], list[int]]] = field(default_factory=lambda: (0, {}))
    _once: dict[Callable[..., Any], Any] = field(default_factory=dict)

    def once(self, make: Callable[[Trace], Made]) -> Made:
        """What a function makes of the record, made once for all who ask, and gone with the record."""
        if make not in self._once:
            self._once[make] = make(self)
        return self._once[make]

    def of(self, *kinds: type[Kind]) -> list[Kind]:
        """The events of these kinds, in order."""
        if self._sorted[0] != len(self.events):
            places: dict[type[Event], list[int]] = {}
            for place, event in enumerate(self.events):
                places.setdefault(type(event), []).append(place)
            self._sorted = len(self.events), places
        found = [places for kind, places in self._sorted[1].items() if issubclass(kind, kinds)]
        events: Any = self.events
        return [events[place] for place in (found[0] if len(found) == 1 else sorted(chain.from_iterable(found)))]

    def note(self, sentence: str) -> None:
        """Say what could not be looked at."""
        if sentence not in self.blind:
            self.blind.append(sentence)

    def name(self, number: int) -> str:
        """What the model calls a parameter or a module; a plain description for what has no name."""
        return self.names.get(number) or self.once(_called).get(number, f"tensor {number}")

    def ops(self, *names: str) -> list[Op]:
        """The calls of torch functions with these names, in order."""
        named = self.once(_named)
        found = [named[name] for name in dict.fromkeys(names) if name in named]
        return sorted(chain.from_iterable(found), key=_place) if len(found) != 1 else list(found[0])

    def maker(self, tensor: Seen, before: int | None = None) -> Op | None:
        """The call that made a tensor (the last one before event `before`); None for what was not seen being made."""
        made = self.once(_makers).get(tensor.number, [])
        end = len(made) if before is None else bisect_left(made, before, key=_place)
        return made[end - 1] if end else None

    def users(self, tensor: Seen, after: int = 0) -> list[Op]:
        """The calls that a tensor went into, after event `after`."""
        used = self.once(_users).get(tensor.number, [])
        return used[bisect_right(used, after, key=_place) :]

    def chain(self, tensor: Seen, before: int | None = None, most: int = 40) -> Iterator[Op]:
        """The calls behind a tensor, from the last one back along the first input with a gradient, or the first."""
        limit = before
        for _ in range(most):
            op = self.maker(tensor, limit)
            if op is None:
                return
            yield op
            inputs = [each for each in op.inputs if each.number != tensor.number] or list(op.inputs)
            if not inputs:
                return
            tensor, limit = next((each for each in inputs if each.needs_grad), inputs[0]), op.n

    def back(
        self, tensors: Iterable[Seen], before: int, most: int, along: Callable[[Op, Seen], bool] = lambda op, each: True
    ) -> Iterator[tuple[Seen, Op | None]]:
        """What tensors were made of: themselves and what lies behind them, the nearest first, each with its maker.

        It goes on through those inputs of a maker that `along` lets pass, and ends after `most` makers. Where no maker
        was seen, or it was told before (of several outputs), there is None.
        """
        waiting = deque((each, before) for each in tensors)
        known = set[int]()
        while waiting and len(known) < most:
            seen, limit = waiting.popleft()
            op = self.maker(seen, limit)
            if op is not None and op.n in known:
                op = None
            yield seen, op
            if op is not None:
                known.add(op.n)
                waiting += [(each, op.n) for each in op.inputs if along(op, each)]

    def losses(self) -> list[LossCall]:
        """Every call of one of torch's losses that was seen closely."""
        found = []
        for op in self.ops(*LOSSES):
            tensors = op.inputs
            if len(tensors) >= 2:
                found.append(LossCall(op, op.name, tensors[0], tensors[1], str(op.words.get("reduction", "mean"))))
        return found

    def behind(self, backward: Backward, most: int = 200) -> list[Op]:
        """All calls behind the roots of a backward pass, the nearest first."""
        way = self.back(backward.roots, backward.n, most, along=lambda op, each: each.needs_grad)
        return [op for _, op in way if op is not None]

    def backwards(self) -> list[Backward]:
        """The backward passes that fill `.grad`, without those inside others."""
        return [event for event in self.of(Backward) if event.how == "backward" and not event.nested]

    def optimizers(self) -> dict[int, list[OptimizerMade]]:
        """Every optimizer's number with the event that built it and those that gave it more groups."""
        found: dict[int, list[OptimizerMade]] = {}
        for event in self.of(OptimizerMade):
            found.setdefault(event.optimizer, []).append(event)
        return found

    def held(self, optimizer: int) -> set[int]:
        """The numbers of the parameters that an optimizer holds."""
        groups = [group for event in self.optimizers().get(optimizer, []) for group in event.groups]
        return {number for group in groups for number in group["params"]}

    @property
    def trained(self) -> set[int]:
        """The leaves that received a gradient from any backward pass seen closely."""
        return {leaf.number for event in self.backwards() for leaf in event.leaves if leaf.after is not None}

    def updates(self) -> list[Update]:
        """Every change of weights, in order; by hand is one where a leaf's bits differ and no optimizer moved it."""
        found: list[Update] = []
        since: list[Backward] = []
        known: dict[int, int] = {}
        for event in self.of(Backward, Step):
            if isinstance(event, Step):
                known |= {one.number: one.after.mark for one in event.moved if one.after is not None}
                if not event.close:
                    known.clear()
                found.append(Update(event, event, (), tuple(since)))
                since = []
            elif not event.nested:
                marks = {leaf.number: leaf.weight.mark for leaf in event.leaves if leaf.weight is not None}
                changed = tuple(number for number, mark in marks.items() if known.get(number, mark) != mark)
                if changed and since:
                    found.append(Update(event, None, changed, tuple(since)))
                    since = []
                known |= marks
                since.append(event)
        return found

    def passes(self) -> list[Pass]:
        """Every pass over a loader, in the order in which they began."""
        made = {event.loader: event for event in self.of(LoaderMade)}
        batches: dict[int, list[Batch]] = {}
        for event in self.of(Batch):
            batches.setdefault(event.run, []).append(event)
        ended = {event.run for event in self.of(LoaderEnd)}
        return [
            Pass(made.get(start.loader), start, tuple(batches.get(start.run, ())), start.run in ended)
            for start in self.of(LoaderStart)
        ]

    def between(self, first: int, last: int, *kinds: type[Kind]) -> Sequence[Kind]:
        """The events of these kinds after event `first` and before event `last`."""
        begin = bisect_right(self.events, first, key=_place)
        end = bisect_left(self.events, last, lo=begin, key=_place)
        return [event for event in self.events[begin:end] if isinstance(event, kinds)]


def _named(trace: Trace) -> dict[str, list[Op]]:
    return _grouped(trace, lambda op: [op.name])


def _makers(trace: Trace) -> dict[int, list[Op]]:
    return _grouped(trace, lambda op: [each.number for each in op.out])


def _users(trace: Trace) -> dict[int, list[Op]]:
    return _grouped(trace, lambda op: [each.number for each in op.inputs])


def _grouped(trace: Trace, keys: Callable[[Op], Iterable[Key]]) -> dict[Key, list[Op]]:
    """The calls of torch functions under each of their keys, in order."""
    found: dict[Key, list[Op]] = {}
    for op in trace.of(Op):
        for key in keys(op):
            found.setdefault(key, []).append(op)
    return found


def _called(trace: Trace) -> dict[int, str]:
    """What the program calls its tensors: of the names that never stood for another one the shortest."""
    stood: dict[str, set[int]] = {}
    for event in trace.of(Names):
        for name, held in event.held.items():
            if isinstance(held, tuple) and held[0] == "tensor":
                stood.setdefault(name, set()).add(held[1])
    lasting = sorted((name for name, numbers in stood.items() if len(numbers) == 1), key=len, reverse=True)
    return {number: name for name in lasting for number in stood[name]}


def _place(event: Event) -> int:
    return event.n
