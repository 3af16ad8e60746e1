"""What a run says once, in plain words, when a person would otherwise not notice."""

from __future__ import annotations

from typing import Any

from torch.optim import SGD

from truestep.core.errors import ConfigError
from truestep.core.objective import Objective
from truestep.core.outcome import StepOut
from truestep.core.schedule import Schedule
from truestep.core.updates import TorchUpdates, Updates


def about_sums(objective: Objective, out: StepOut, updates: Updates) -> list[str]:
    """That a sum was asked for, and what its gradient is to the mean's; a hand-written updater divides itself."""
    if updates.summed:
        return []
    sentences = []
    for name in objective.sums:
        size, samples = out.sizes[name], out.samples
        if size <= 1:
            continue
        subject = "this objective" if len(objective.terms) == 1 else f"the term {name}"
        over = f"{samples:,} samples" if size == samples else f"{size:,.6g} elements of {samples:,} samples"
        mend = f"lr / {size:g}" if len(objective.terms) == 1 and _scales(updates) else f"a weight of 1 / {size:g}"
        sentences.append(
            f"{subject} is a sum over {over}: its gradient is {size:g} times that of the mean; {mend} gives the same "
            "weights."
        )
    return sentences


def _scales(updates: Updates) -> bool:
    """Whether a gradient n times as large is the same as a rate n times as large: in plain descent, without decay."""
    if not isinstance(updates, TorchUpdates):
        return False
    groups = [group for one in updates.optimizers if type(one) is SGD for group in one.param_groups]
    plain = all(type(one) is SGD for one in updates.optimizers)
    return plain and not any(float(group["weight_decay"]) for group in groups)


def about_average(name: str, reason: str) -> str:
    """That a term had to be averaged over batches, because it cannot be merged."""
    return f"{reason} The figures of {name} in the history are therefore averages over batches, weighted by samples."


def about_schedule(schedule: Schedule, steps_per_epoch: int) -> list[str]:
    """How often a schedule is stepped, where nobody said it."""
    if schedule.stated or schedule.every == "epoch":
        return []
    often = f" ({steps_per_epoch} times an epoch)" if steps_per_epoch else ""
    names = ", ".join(type(one).__name__ for one in schedule.schedulers)
    return [f"the schedule {names} is stepped once an update{often}; ts.per_epoch(...) steps it once an epoch."]


def refuse_other(compile: Any) -> None:
    """Refuse a setting that is none.

    Raises:
        ConfigError: for anything but "auto", "exact", True and False.
    """
    if not isinstance(compile, bool) and compile not in ("auto", "exact"):
        raise ConfigError(f"compile knows 'auto', 'exact', True and False, and {compile!r} is none of them.")
