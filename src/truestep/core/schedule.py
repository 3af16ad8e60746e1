"""Learning-rate schedules of torch, stepped once an update or once an epoch, as given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from truestep.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Schedule:
    """Schedulers of torch with the moment at which they are stepped: `every` "step" or "epoch".

    `stated` tells whether somebody said so, or it is the default.
    """

    schedulers: tuple[Any, ...] = ()
    every: str = "step"
    stated: bool = True

    @property
    def between_steps(self) -> bool:
        """Whether something moves between two steps of an epoch."""
        return bool(self.schedulers) and self.every == "step"

    def after_step(self) -> None:
        """Move on after an update, where this schedule counts updates."""
        if self.every == "step":
            for scheduler in self.schedulers:
                scheduler.step()

    def after_epoch(self, figure: float | None) -> None:
        """Move on after an epoch; a plateau schedule reads the validation loss (without one, the training loss)."""
        if self.every != "epoch":
            return
        for scheduler in self.schedulers:
            if isinstance(scheduler, ReduceLROnPlateau):
                scheduler.step(float("nan") if figure is None else figure)
            else:
                scheduler.step()


NONE = Schedule()


def per_step(*schedulers: Any) -> Schedule:
    """Step these schedulers of torch once an update: warm-up, one-cycle, cosine over steps."""
    return Schedule(_checked(schedulers), "step")


def per_epoch(*schedulers: Any) -> Schedule:
    """Step these schedulers of torch once an epoch, after validation: step decay, plateau."""
    return Schedule(_checked(schedulers), "epoch")


def as_schedule(given: Any, optimizers: Sequence[Optimizer] = ()) -> Schedule:
    """What was given as schedule: nothing, a `Schedule`, or schedulers, which are stepped once an update.

    A plateau schedule reads the figure of an epoch and is stepped once an epoch.

    Raises:
        ConfigError: for what is no scheduler, and for one that moves the rate of none of the `optimizers`.
    """
    if given is None:
        return NONE
    if not isinstance(given, Schedule):
        several = tuple(given) if isinstance(given, list | tuple) else (given,)
        every = "epoch" if any(isinstance(one, ReduceLROnPlateau) for one in several) else "step"
        given = Schedule(_checked(several), every, stated=False)
    if optimizers:  # not an updater written by hand, whose rate nobody knows
        _check_driven(given, optimizers)
    return given


def _checked(schedulers: tuple[Any, ...]) -> tuple[Any, ...]:
    for one in schedulers:
        if not isinstance(one, LRScheduler | ReduceLROnPlateau):
            raise ConfigError(
                f"a schedule is made of schedulers of torch.optim.lr_scheduler, and {type(one).__name__} is none: "
                "torch.optim.lr_scheduler.LambdaLR(optimizer, function) makes one of a function."
            )
    return schedulers


def _check_driven(schedule: Schedule, optimizers: Sequence[Optimizer]) -> None:
    """Refuse a scheduler of another optimizer, beside which these would train at a constant rate.

    Wrapped optimizers share the groups of the one inside, so groups are compared, and not optimizers.
    """
    held = {id(group) for optimizer in optimizers for group in optimizer.param_groups}
    for one in schedule.schedulers:
        groups = getattr(getattr(one, "optimizer", None), "param_groups", ())
        if groups and held.isdisjoint(map(id, groups)):
            name = type(one).__name__
            raise ConfigError(f"the schedule {name} moves the rate of another optimizer: make it from this one.")
