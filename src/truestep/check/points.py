"""A few numbers for each row of what a model is given, and of what its outputs are compared with.

Rules ask of them whether inputs and targets have anything to do with each other. Sixteen numbers a row are enough for
that: sums of the row's elements with fixed weights, or of the sines of its tokens.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

import torch
from torch import Tensor

from truestep.check.dense import Dense
from truestep.check.events import Op
from truestep.check.leading import Leading
from truestep.check.looks import plain
from truestep.check.series import cut
from truestep.check.trace import LOSSES

if TYPE_CHECKING:
    from truestep.check.recorder import Recorder

COMPARED = LOSSES | {"eq", "sub", "ne"}
"""Calls whose second tensor, or either, is a target."""
OVERLAID = {"mul", "__mul__", "__rmul__", "__and__", "logical_and", "__or__", "logical_or"}
"""Calls by which scores without a loss lay one mask upon another."""
TALL, LARGEST = 16, 1 << 20
WIDTH, ROWS, COLUMNS = 16, 256, 512
SHORTEST = 3
SHARED, EXACT = 0.01, 1e-4
OWN = (0, 2, 4)
"""Of the rows of a table so many may have a column's least number: of a grid more have."""
MOST = 500
"""Tensors of which points are taken in each part of a run: before the first update and after, with gradients or not."""


class Points:
    """Writes an `Op` "points" for each tensor once: its number, version, rows and columns, and the numbers."""

    def __init__(self) -> None:
        self._counts, self._dense = Counter[tuple[bool, bool]](), Dense()
        self._leading = Leading()
        self._last: dict[int, int] = {}

    def compared(self, recorder: Recorder, args: tuple[Any, ...]) -> None:
        """Take the points of the targets of a loss or a comparison."""
        if recorder.close:
            self._dense.compared(recorder, args)
        tensors = [each for each in args[:2] if isinstance(each, Tensor)]
        targets = [each for each in tensors if not each.requires_grad]
        for each in targets:
            self.take(recorder, each, True)
            if len(targets) < len(tensors):
                self._leading.take(recorder, each)

    def overlaid(self, recorder: Recorder, args: tuple[Any, ...]) -> None:
        """Compare what a mask is laid upon while nothing is trained."""
        if recorder.close and not torch.is_grad_enabled():
            self._dense.overlaid(recorder, args)

    def take(self, recorder: Recorder, tensor: Tensor, target: bool) -> None:
        """Take the points of an input, or of a target."""
        if recorder.close and not target:
            self._dense.given(recorder, tensor)
            self._leading.take(recorder, tensor)
        graded = torch.is_grad_enabled()
        part = graded, recorder.trace.updates_made > 0
        if self._counts[part] >= MOST or not recorder.close or not plain(tensor) or tensor.is_complex():
            return
        number, version = recorder.numbers.of(tensor), 0 if tensor.is_inference() else tensor._version
        if self._last.get(number) == version:
            return
        found = _labels(tensor) if target else _sketch(tensor)
        if found is not None:
            self._last = {**dict(list(self._last.items())[-8:]), number: version}
            self._counts[part] += 1
            held = array("f", found.contiguous().numpy().tobytes())
            told, words = (number, version, *found.shape), {"points": held, "lasts": _lasts(tensor, target)}
            recorder.emit(Op, name="points", args=told, words=words, out=(), grad=graded)


class Columns(NamedTuple):
    """Of a table of real numbers: the greatest mean of a column, and the greatest distance of a deviation from 1; and
    the greatest distances of a column's least number from 0 and of its greatest from 1 (infinite where many share it);
    and those of a median from 0, and of the middle half's width from 1 (infinite where a median is not 0).
    Columns of whole numbers are left out where there are others. Of series the last four are infinite.
    """

    mean: float
    deviation: float
    least: float
    most: float
    median: float = math.inf
    half: float = math.inf


def columns(tensor: Any, beside: Sequence[Tensor] = ()) -> Columns | None:
    """What columns have where they were standardised, or stretched from 0 to 1, by themselves.

    Where rows are windows of series, these are looked at instead, with what follows each row in a tensor `beside`.
    """
    if not isinstance(tensor, Tensor) or not plain(tensor) or not tensor.is_floating_point():
        return None
    if tensor.dim() not in (2, 3) or tensor.shape[0] < TALL or not 0 < tensor.numel() <= LARGEST:
        return None
    series = cut(tensor.detach(), beside)
    if series or tensor.dim() == 3:
        return _of_series(series) if series else None
    wide = _measured(tensor.detach().double())
    mean, both = wide.mean(0).abs().max(), _deviations(wide)
    least, most = (_end(wide, *each) for each in ((wide.amin(0), 0.0), (wide.amax(0), 1.0)))
    return Columns(float(mean), min(float((each - 1).abs().max()) for each in both), least, most, *_middle(wide))


def _measured(wide: Tensor) -> Tensor:
    """A table without its columns of whole numbers: numbered categories stand beside what was standardised."""
    whole = (wide == wide.round()).all(0)
    return wide if bool(whole.all()) else wide[:, ~whole]


def _of_series(series: list[Tensor]) -> Columns:
    """Of the series whose windows are the rows.

    The last number of a single one may be a target alone: then it is the one that brings the mean to 0. Of several the
    joined numbers count, unless one of them was standardised by itself, as all persons, or sensors, may be.
    """
    joined = _measured(torch.cat([each.reshape(len(each), -1) for each in series]))
    if len(series) > 1:
        alone = any(standard(_of_series([each]), 0) for each in series)
        mean, both = joined.mean(0).abs().max(), (joined.std(0, correction=ddof) for ddof in (0, 1))
        away = min(float((each - 1).abs().max()) for each in both)
        return Columns(math.inf if alone else float(mean), away, least=math.inf, most=math.inf)
    whole = torch.cat([joined, -joined.sum(0)[None]])
    deviations = [float((each.std(0, correction=ddof) - 1).abs().max()) for each in (joined, whole) for ddof in (0, 1)]
    first = 0.0 if min(deviations[2:]) < EXACT else float(joined.mean(0).abs().max())
    return Columns(first, min(deviations), least=math.inf, most=math.inf)


def standard(told: tuple[float, ...] | None, place: int) -> bool:
    """Whether columns have means and deviations (`place` 0), ends (2), or medians and quartiles (4) of their own.

    To the last digits, that is.
    """
    return told is not None and max(told[place : place + 2]) < EXACT


def _deviations(wide: Tensor) -> Iterator[Tensor]:
    """The deviations of columns, over all rows or one less; and those without the zeros that stand for what was missing
    when they were standardised.
    """
    yield from (wide.std(0, correction=each) for each in (0, 1))
    squares, count = (wide - wide.mean(0)).square().sum(0), (wide != 0).sum(0)
    yield from ((squares / (count - each).clamp(min=1)).sqrt() for each in (0, 1))


def _middle(wide: Tensor) -> tuple[float, float]:
    """How far medians lie from 0, and the widths between quartiles from 1."""
    below, above = ((each.sum(0) * 2 <= len(wide)).all() for each in (wide < 0, wide > 0))
    if not (below and above):  # without sorting
        return math.inf, math.inf
    first, middle, third = torch.quantile(
        wide, torch.tensor([0.25, 0.5, 0.75], dtype=wide.dtype, device=wide.device), 0
    )
    return float(middle.abs().max()), float((third - first - 1).abs().max())


def _end(wide: Tensor, ends: Tensor, meant: float) -> float:
    """How far the ends of columns lie from what is meant; infinite where an end is more than a few rows' own."""
    alone = bool(((wide == ends).sum(0) <= max(1, wide.shape[0] * SHARED)).all())
    return float((ends - meant).abs().max()) if alone else math.inf


def _labels(tensor: Tensor) -> Tensor | None:
    """One number a row, (N,) or (N, 1)."""
    held = tensor.detach()
    if held.dim() == 2 and held.shape[1] == 1:
        held = held[:, 0]
    return held[:ROWS, None].float().cpu() if held.dim() == 1 and held.shape[0] > 3 else None


def _sketch(tensor: Tensor) -> Tensor | None:
    """(N, 16) at most: the rows themselves where they are as short as that."""
    held = tensor.detach()[:ROWS] if tensor.dim() > 1 else tensor
    if held.dim() < 2 or held.shape[0] < 4 or not held.numel():
        return None
    flat = held.flatten(1)
    flat = flat[:, :: -(-flat.shape[1] // COLUMNS)].float().cpu()
    if not held.is_floating_point():
        return torch.sin((flat[..., None] + 1) * (torch.arange(WIDTH, device="cpu") * 0.37 + 0.7)).mean(1)
    if flat.shape[1] <= WIDTH:
        return flat
    return (
        flat.double() @ _weights(flat.shape[1])
    ).float()  # autocast, which may be on, leaves products in double alone


def _lasts(tensor: Tensor, target: bool) -> tuple[int, ...]:
    """Digests of the last step of sequences (N, T) or (N, T, F), one a feature; of targets that of themselves."""
    held = tensor.detach()[:ROWS]
    if target:
        columns = [held.reshape(-1)]
    elif held.dim() in (2, 3) and held.shape[1] >= SHORTEST:
        columns = [each.reshape(-1) for each in held[:, -1].reshape(len(held), -1)[:, :WIDTH].unbind(1)]
    else:
        columns = []
    return tuple(crc32(each.double().cpu().contiguous().numpy().data) for each in columns)


@cache
def _weights(columns: int) -> Tensor:
    """Fixed weights that look like chance: no generator is asked for them."""
    places = torch.arange(columns * WIDTH, dtype=torch.float64, device="cpu") + 1
    return (torch.sin(places * places * 0.731) / columns**0.5).view(columns, WIDTH)
