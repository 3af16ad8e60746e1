"""Going on with a run: the newest checkpoint is found, held against the settings, and told to every rank."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch import distributed as dist

from truestep.core.errors import CheckpointError, ConfigError, TruestepError
from truestep.core.ranks import Ranks
from truestep.fit import state
from truestep.fit.settings import difference
from truestep.fit.trees import unpack

if TYPE_CHECKING:
    from truestep.fit.loop import Loop
    from truestep.store.keep import Kept

PLAIN = (bool, int, float, str, list, tuple, dict)


@dataclass(slots=True)
class Found:
    """A checkpoint that was read: its file and contents.

    `skipped` has a sentence for each newer one that was passed over, `changed` what of the schedule that was given is
    not as in the saved one, which takes its place.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    plain: Mapping[str, Any]
    skipped: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)


def look(kept: Kept, resume: bool, ranks: Ranks) -> Found | None:
    """The newest checkpoint that can be read, on every rank what rank 0 found; None where there are none.

    Raises:
        ConfigError: where there are some, and nobody asked to go on with them.
        CheckpointError: where there are some, and none of them can be read.
    """
    answer = _look(kept, resume) if ranks.rank == 0 else None
    if ranks.size > 1:  # a folder need not be seen from every machine
        box = [answer]
        dist.broadcast_object_list(box, 0)
        answer = box[0]
    if isinstance(answer, TruestepError):
        raise answer
    return answer


def _look(kept: Kept, resume: bool) -> Found | TruestepError | None:
    try:
        if resume:
            found = kept.newest()
            return None if found is None else Found(found[0], found[1].tensors, found[1].plain, found[2])
        if kept.paths():
            return ConfigError(
                f"{kept.folder} holds checkpoints already: resume=True (--resume) goes on with their run; or give "
                "another folder."
            )
    except TruestepError as error:
        return error
    return None


def check(found: Found, settings: Mapping[str, Any]) -> None:
    """Refuse a checkpoint of a run with other settings.

    Raises:
        ConfigError: naming the first difference. CheckpointError: for a file that no `fit` wrote.
    """
    saved = _peek(found, "settings")
    words = difference(saved, settings, _peek(found, "versions") == state.versions())
    if words:
        raise ConfigError(
            f"{found.path} is of another run: {words}; give the settings of that run, or another folder for this one."
        )


def folder_of(found: Found) -> str | None:
    """The name of the run folder, where the run had one."""
    return _peek(found, "run")["folder"]


def put_back(loop: Loop, found: Found) -> Any:
    """Put the state into the run; returns what `state.restore` does.

    Raises:
        CheckpointError: for contents that no `fit` wrote.
    """
    try:
        schedulers = loop.step.schedule.schedulers
        saved = unpack(found.plain["schedulers"], found.tensors, torch.device("cpu"), state.schedulers(loop))
        found.changed = [words for one, then in zip(schedulers, saved, strict=True) for words in _changed(one, then)]
        states = state.restore(loop, found.tensors, found.plain)
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as failure:
        what = f"{type(failure).__name__}: {failure}" if not isinstance(failure, TruestepError) else str(failure)
        raise CheckpointError(f"{found.path} cannot be resumed from: {what}") from failure
    loader = getattr(loop.batches, "loader", None)
    if loader is not None and loader.persistent_workers and loop.at.epoch > 1:
        iter(loader)  # starting the workers draws a number, which the run drew in its first epoch only
    return states


def _changed(scheduler: Any, saved: Any) -> list[str]:
    """The settings of a scheduler, nested ones included, that are not those that were saved, in words."""
    asked = inspect.signature(type(scheduler).__init__).parameters
    own, said = scheduler.state_dict(), []
    if not (isinstance(own, Mapping) and isinstance(saved, Mapping)):  # one written by hand keeps what it likes
        return []
    for name in asked.keys() - {"last_epoch", "schedulers"}:
        for key in (name, f"_{name}"):
            then, now = saved.get(key), own.get(key)
            if isinstance(now, PLAIN) and then is not None and then != now:
                said.append(f"{name} of the schedule {type(scheduler).__name__} was {then} and is given as {now}")
    inner = zip(getattr(scheduler, "_schedulers", ()), saved.get("_schedulers", ()), strict=False)
    return sorted(said) + [words for one, then in inner for words in _changed(one, then)]


def sentences(loop: Loop, found: Found) -> list[str]:
    """What a person who goes on with a run must know."""
    at, run = loop.at, loop.run_state
    said = [f"passed over: {sentence}." for sentence in found.skipped]
    where = f"epoch {at.epoch}, after {at.batch} of its batches" if at.batch else f"the start of epoch {at.epoch}"
    over = f"after {run.steps} steps" if at.epoch > loop.plan.epochs else f"after {run.steps} steps, at {where}"
    said.append(f"resumed from {found.path}, {over}.")
    then, now = _peek(found, "versions"), state.versions()
    changed = [f"{name} was {then.get(name)} and is {now[name]}" for name in now if then.get(name) != now[name]]
    if changed:
        said.append(f"{', '.join(changed)}: the run goes on, but not to the last bit as it would have.")
    # More epochs often come with a longer schedule, and torch takes a scheduler's settings from its state too.
    return [*said, *(f"{words}: the run goes on as it was saved." for words in found.changed)]


def _peek(found: Found, name: str) -> dict[str, Any]:
    """A part of the plain data that holds no tensors."""
    try:
        part = unpack(found.plain[name], {}, torch.device("cpu"))
    except (LookupError, TruestepError):
        part = None
    if not isinstance(part, dict):
        raise CheckpointError(f"{found.path} holds no run of ts.fit: give another folder.")
    return part
