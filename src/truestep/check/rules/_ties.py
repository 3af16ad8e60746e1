"""Whether inputs and targets have anything to do with each other: the kernel independence statistic HSIC.

Source: Gretton et al., A kernel statistical test of independence, NeurIPS 2007.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from truestep.check.events import Op
from truestep.check.looks import Seen
from truestep.check.trace import Trace

ORDERS, MOST = 100, 400


class Tie(NamedTuple):
    """How far above chance, in deviations, and as a share of what is possible (0 to 1); of how many rows."""

    above: float
    share: float
    rows: int


def points(trace: Trace) -> dict[tuple[int, int], Tensor]:
    """The points that were taken, (rows, columns), by a tensor's number and version."""
    found = {}
    for op in trace.of(Op):
        if op.name == "points":
            number, version, rows, columns = op.args
            found[number, version] = torch.tensor(op.words["points"], device="cpu").view(rows, columns)
    return found


def key(seen: Seen) -> tuple[int, int]:
    """By what the points of a tensor are found."""
    return seen.number, seen.version


def tie(pairs: list[tuple[Tensor, Tensor]]) -> Tie | None:
    """How inputs and targets of these calls hang together; each pair of rows counts once."""
    inputs, targets = torch.cat([each for each, _ in pairs]), torch.cat([each for _, each in pairs])
    both = torch.unique(torch.cat([inputs, targets], 1).double(), dim=0)
    both = both[torch.isfinite(both).all(1)]
    if len(both) > MOST:
        both = both[:: -(-len(both) // MOST)]
    if len(both) < 8 or not bool((both[:, -1] != both[0, -1]).any()):
        return None
    classes = bool((both[:, -1] == both[:, -1].round()).all()) and both[:, -1].unique().numel() <= 50
    one = _centred(_near(both[:, :-1]))
    other = _centred((both[:, -1:] == both[:, -1]).double() if classes else _near(both[:, -1:]))
    draw = torch.Generator(device="cpu").manual_seed(0)
    orders = [torch.randperm(len(both), generator=draw, device="cpu") for _ in range(ORDERS)]
    chance = torch.stack([(one * other.index_select(0, order).index_select(1, order)).sum() for order in orders])
    spread, total = float(chance.std()), float(one.norm() * other.norm())
    if not spread > 0 or not total > 0:
        return None
    value = float((one * other).sum() - chance.mean())
    return Tie(value / spread, value / total, len(both))


def _near(rows: Tensor) -> Tensor:
    """A Gaussian of the distances, as wide as the median one."""
    scaled = (rows - rows.mean(0)) / rows.std(0).clamp_min(1e-9)
    far = torch.cdist(scaled, scaled).square()
    return torch.exp(-far / far[far > 0].median()) if bool((far > 0).any()) else torch.ones_like(far)


def _centred(table: Tensor) -> Tensor:
    return table - table.mean(0) - table.mean(1, keepdim=True) + table.mean()
