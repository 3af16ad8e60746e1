"""Whether a model learned from noise alone, as a generator does: what it gives is a picture, and no score."""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.events import Forward, Op
from truestep.check.looks import Seen
from truestep.check.rules._chains import origin
from truestep.check.trace import Trace

DRAWS = {"randn", "rand", "randn_like", "rand_like", "normal", "normal_", "uniform_"}
JOINS = {"cat", "concat", "concatenate", "hstack", "column_stack"}


class Fed:
    """What a model was given in training, one pass after another."""

    def __init__(self) -> None:
        self._draws: set[int] = set()
        self._rows: set[int] = set()
        self._last = 0

    @property
    def noise(self) -> bool:
        """Whether all of it was noise, drawn anew."""
        return len(self._draws) > 1 and 0 not in self._draws

    def add(self, trace: Trace, event: Forward, judged: bool) -> None:
        """Take down a pass; `judged` where what it gave went on into another trained model, as into a critic."""
        given = event.inputs[0] if event.inputs else None
        self._draws.add(self._draw(trace, given, event.n, judged) if given is not None else 0)

    def _draw(self, trace: Trace, given: Seen, before: int, judged: bool) -> int:
        """The call that drew these numbers, or the tensor that took them over from numpy; 0 where they were not drawn.

        Nobody sees numpy draw. But its noise is not met again, other than by the next pass with the very tensor.
        """
        found = list(_makers(trace, given, before))
        drawn = [op for op in found if op is not None and op.name in DRAWS]
        if drawn and (judged or len(found) == 1):
            return drawn[0].n
        again = given.number != self._last and not self._rows.isdisjoint(given.rows)
        self._last = given.number
        self._rows.update(given.rows)
        outside = any(op is None or not op.inputs for op in found)
        floats = given.dtype.startswith(("float", "bfloat"))
        return given.number if judged and outside and floats and given.rows and not again else 0


def _makers(trace: Trace, given: Seen, before: int) -> Iterator[Op | None]:
    """The calls that made the numbers of a tensor, or of those that were joined to it: noise beside a label."""
    op = origin(trace, given, before)
    if op is None or op.name not in JOINS:
        yield op
        return
    yield from (origin(trace, each, op.n) for each in op.inputs)
