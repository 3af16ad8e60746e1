"""From how many steps back momentum comes: the momentum buffers of the last steps, and today's taken apart by them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from truestep.core.errors import ConfigError
from truestep.core.flow import with_rounding
from truestep.core.rules import Twin
from truestep.core.step import TrainStep
from truestep.core.updates import TorchUpdates
from truestep.explain.ledger import ROUNDING

OLDER = "older"
BUFFER = "momentum_buffer"
SPARE = 8  # steps kept beyond the length, so that those that are tried and undone push none out
Kept = tuple[Tensor | None, float]
"""A buffer as a step left it, None before the first; and the factor with which that step kept the one before."""


class Trail:
    """Remembers the momentum buffers of the last steps, so that a ledger tells momentum by how many steps back.

    A buffer is `b_t = momentum * b_(t-1) + x_t`, so what entered at each step, `x_t`, follows from two of them: the
    gradient of that step as it was clipped, decayed and dampened, whatever was done to it. A trail costs a copy of the
    buffers a step; a step that no trail follows pays nothing. Steps that are undone (`explain`, `prove`, a checkpoint
    that is loaded) are forgotten again, since the buffer is then an older one.

    Args:
        of: a `TrainStep`, an optimizer or several: those by `torch.optim.SGD` are followed, from now on.
        length: the steps that are told apart; what is older than these is told as one.

    Raises:
        ConfigError: where there is no optimizer of torch to follow, or the length is no number of steps.

    >>> from torch import nn
    >>> from truestep.explain.explain import explain
    >>> model, x, y = nn.Linear(2, 1), torch.ones(3, 2), torch.zeros(3, 1)
    >>> step = TrainStep(model, nn.MSELoss(), torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5))
    >>> with Trail(step) as trail:
    ...     _ = step(x, y), step(x, y)
    >>> list(explain(step, x, y, history=trail)["weight"].momentum_by_step)
    [1, 2, 'older', 'rounding']
    """

    def __init__(self, of: TrainStep | Optimizer | list[Optimizer] | None = None, length: int = 20) -> None:
        if not isinstance(length, int) or length < 1:
            raise ConfigError(f"a trail has a length of at least 1 step, and not {length!r}.")
        self.length = length
        self._kept: dict[Tensor, deque[Kept]] = {}
        self._hooks: list[Any] = []
        for optimizer in [] if of is None else _optimizers(of):
            self._hooks.append(optimizer.register_step_pre_hook(lambda one, args, words: self.before(one)))
            self._hooks.append(optimizer.register_step_post_hook(lambda one, args, words: self.after(one)))

    def close(self) -> None:
        """Follow nobody any more; what is remembered stays."""
        while self._hooks:
            self._hooks.pop().remove()

    def __enter__(self) -> Trail:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def before(self, optimizer: Optimizer) -> None:
        """Note where an optimizer stands before a step: steps that were undone since are forgotten."""
        for parameter in _followed(optimizer):
            kept = self._kept.setdefault(parameter, deque(maxlen=self.length + 1 + SPARE))
            now = optimizer.state.get(parameter, {}).get(BUFFER)
            while kept and not _same(kept[-1][0], now):
                kept.pop()
            if not kept:
                kept.append((_copy(now), math.nan))

    def after(self, optimizer: Optimizer) -> None:
        """Note what a step made of it."""
        for parameter, factor in _followed(optimizer).items():
            kept = 1.0 if parameter.grad is None else float(factor)  # without a gradient torch leaves the buffer alone
            self._kept[parameter].append((_copy(optimizer.state.get(parameter, {}).get(BUFFER)), kept))

    def apart(self, twin: Twin, momentum: Tensor) -> dict[int | str, Tensor]:
        """Steps back -> the part of the entry "momentum" that comes from there, "older" and "rounding"; exact in sum.

        Each part is what the rule itself makes of that part of the buffer.
        """
        parts = _parts(self._kept.get(twin.parameter, deque()), twin.state.get(BUFFER), self.length)
        if twin.rule.name != "SGD" or len(parts) < 2:
            return {}
        still = torch.zeros_like(momentum)
        moves = {
            str(back): twin.rule.itemise(still, still, {BUFFER: part}, whole=still).get("momentum", still)
            for back, part in enumerate(parts)
        }
        older, *told, rounding = with_rounding(moves, momentum).values()
        return {**dict(enumerate(told, 1)), OLDER: older, ROUNDING: rounding}


def _parts(kept: deque[Kept], now: Any, length: int) -> list[Tensor]:
    """What is left in a buffer of what is older, and of what entered one step back, two steps back, ..., in float64."""
    entries = list(kept)
    while entries and not _same(entries[-1][0], now):
        entries.pop()
    found, left, older = [], 1.0, None
    for (buffer, factor), (earlier, _) in zip(reversed(entries), reversed(entries[:-1]), strict=False):
        older = earlier
        if buffer is None or len(found) == length:
            older = buffer
            break
        found.append(left * (buffer.double() if earlier is None else buffer.double() - factor * earlier.double()))
        left *= factor
    if not found:
        return []
    return [torch.zeros_like(found[0]) if older is None else left * older.double(), *found]


@dataclass(frozen=True, slots=True)
class Echo:
    """Of all momentum of a ledger, what comes from so many steps back: its norm, and its share of the momentum."""

    back: int | str
    norm: float
    share: float


def echoes(accounts: Mapping[str, Any]) -> list[Echo]:
    """The momentum of all parameters by steps back, the nearest first; nothing where no trail was kept."""
    told = [account for account in accounts.values() if account.momentum_by_step]
    whole = sum(float((account.entries["momentum"] ** 2).sum()) for account in told)
    numbers = sorted({back for account in told for back in account.momentum_by_step if isinstance(back, int)})
    found = []
    aged = any(account.momentum_by_step[OLDER].any() for account in told)
    for back in [*numbers, *([OLDER] if aged else [])]:
        mine = [(a.momentum_by_step[back], a.entries["momentum"]) for a in told if back in a.momentum_by_step]
        along = sum(float((part * momentum).sum()) for part, momentum in mine)
        norm = math.hypot(*(float(part.norm()) for part, _ in mine))
        found.append(Echo(back, norm, along / whole if whole else 0.0))
    return found


def _optimizers(of: TrainStep | Optimizer | list[Optimizer]) -> list[Optimizer]:
    if isinstance(of, TrainStep):
        if not isinstance(of.updates, TorchUpdates):
            raise ConfigError(f"a trail follows optimizers of torch: what the {of.updates!r} keeps is its own.")
        return of.updates.optimizers
    return [of] if isinstance(of, Optimizer) else list(of)


def _followed(optimizer: Optimizer) -> dict[Tensor, Any]:
    """The parameters whose buffers are those of `torch.optim.SGD`, each with its momentum."""
    if type(optimizer) is not torch.optim.SGD:
        return {}
    groups = [group for group in optimizer.param_groups if group["momentum"]]
    return {parameter: group["momentum"] for group in groups for parameter in group["params"]}


def _same(a: Tensor | None, b: Any) -> bool:
    return a is b if a is None or b is None else torch.equal(a, b)


def _copy(buffer: Tensor | None) -> Tensor | None:
    return None if buffer is None else buffer.detach().clone()
