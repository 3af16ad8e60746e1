"""Events put away as bytes while the program goes on.

A close look leaves hundreds of small objects, a run's close looks a hundred thousand. They would lie scattered among
the program's own: what it makes and drops on every step, the samples of a batch above all, would find room only in the
gaps between, and each step would be slower by that long after the last close look.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import Any

from truestep.check import site
from truestep.check.events import Batch, Event, Shuffled


class Stowed:
    """Events as bytes, in parcels; those that hold objects of the user's stay as they are."""

    def __init__(self) -> None:
        self._parcels: list[bytes] = []
        self._kept: list[Event] = []
        self.count = 0

    def put(self, events: list[Event]) -> None:
        """Put these away, and clear the list."""
        plain = [(type(event), _facts(type(event))(event)) for event in events if not _foreign(event)]
        self._kept += [event for event in events if _foreign(event)]
        self._parcels.append(pickle.dumps(plain, pickle.HIGHEST_PROTOCOL))
        self.count += len(events)
        events.clear()

    def taken(self) -> Iterator[Event]:
        """The events; they are no longer here."""
        yield from self._kept
        for parcel in self._parcels:
            for kind, facts in pickle.loads(parcel):
                yield kind(**dict(zip(_names(kind), facts, strict=True)) | {"site": site.same(facts[1])})
        self._parcels, self._kept, self.count = [], [], 0


def _foreign(event: Event) -> bool:
    """Whether an event may hold an object of the user's: only indices and items of lists are kept as they are."""
    if isinstance(event, Batch):
        return not all(type(each) is int for each in event.index or ())
    return isinstance(event, Shuffled)


@cache
def _names(kind: type[Event]) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind) if each.init)


@cache
def _facts(kind: type[Event]) -> Any:
    return attrgetter(*_names(kind))
