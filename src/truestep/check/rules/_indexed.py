"""Rows of the data that training and a score take by number: what both take was trained on, whatever it holds."""

from __future__ import annotations

from typing import NamedTuple

from truestep.check.events import Forward
from truestep.check.picks import PICKS
from truestep.check.rules._batches import began, ends, split
from truestep.check.rules._chains import SOUND, origin
from truestep.check.trace import Trace

FEW, VISITS, SHARE = 5, 2.0, 0.1


class Indexed(NamedTuple):
    """A call that was scored on rows all of which had been trained on, with the rows that nothing takes."""

    call: Forward
    scored: int
    trained: int
    left: int


def indexed(trace: Trace) -> Indexed | None:
    """Where every score is of trained rows, though a good part of the data is neither trained on nor scored."""
    trained, others = split(trace)
    since = began(trace, trace.events[-1].n + 1) if trace.events else 0
    learned: dict[int, list[int]] = {}
    for call in trained:
        data, rows = _rows(trace, call)
        if call.n > since and rows:
            learned.setdefault(data, []).extend(rows)
    scored = [
        (call, *_rows(trace, call)) for call in others
        if call.n > since and call.outputs and ends(trace, call.outputs[0], call.n)[0]
    ]  # fmt: skip
    if len(learned) != 1 or not scored:
        return None
    (data, rows), size = learned.popitem(), _size(trace, scored[0][0])
    train = set(rows)
    test = set().union(*(each for _, _, each in scored))
    whole = all(where == data and each for _, where, each in scored)
    left = size - len(train | test)
    if not whole or len(rows) < VISITS * len(train) or not FEW <= len(test) < len(train) or not test <= train:
        return None
    return Indexed(scored[0][0], len(test), len(train), left) if left >= max(FEW, SHARE * size) else None


def _rows(trace: Trace, call: Forward) -> tuple[int, list[int]]:
    """The tensor that the input of a call was picked from, and which of its rows."""
    op = origin(trace, call.inputs[0], call.n, SOUND) if call.inputs else None
    where = op.words.get("places") if op is not None and op.name in PICKS else None
    return (op.inputs[0].number, list(where.held)) if op is not None and where is not None and where.held else (0, [])


def _size(trace: Trace, call: Forward) -> int:
    op = origin(trace, call.inputs[0], call.n, SOUND) if call.inputs else None
    return op.inputs[0].shape[0] if op is not None and op.inputs and op.inputs[0].shape else 0
