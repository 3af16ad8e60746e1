"""`fit`: train a model for some epochs, every step exact, every figure a sum over a count."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from truestep.core.model import Model
from truestep.core.step import TrainStep
from truestep.fit.events import Observer
from truestep.fit.loop import Loop
from truestep.fit.metrics import as_metrics
from truestep.fit.plan import Plan
from truestep.fit.run import Run
from truestep.fit.saving import Saver
from truestep.fit.sentences import refuse_other
from truestep.fit.showing import refuse_odd


def fit(
    model: Model,
    train: Any,
    objective: Any,
    optimizer: Any,
    epochs: int = 10,
    batch_size: int | None = None,
    validate: Any = None,
    metrics: Any = None,
    micro_batch: int | None = None,
    accumulate: int = 1,
    clip_norm: float | None = None,
    schedule: Any = None,
    seed: int = 0,
    run_dir: str | Path | None = None,
    checkpoint: Any = None,
    resume: bool = False,
    compile: Any = "auto",
    progress: bool | str = True,
    observers: Sequence[Observer] = (),
    *,
    tail: str = "step",
    patience: int | None = None,
    nonfinite: str = "stop",
    amp: Any = None,
    params: Sequence[Tensor] | None = None,
    shuffle: bool = True,
) -> Run:
    """Train `model` for some epochs, every step exact, every figure a sum over a count.

    Args:
        model: a module, or a callable with `params`; its device is where batches are moved to. A module in evaluation
            mode is put into training mode; in one that trains, parts in evaluation mode stay as they are (frozen).
        train: `(inputs, targets)` tensors or arrays, a data set, or a `DataLoader`.
        objective: an `Objective` or a loss.
        optimizer: as in `TrainStep`: torch optimizers, or an `updater(batch_size)`.
        epochs: how often to go over the data.
        batch_size: samples a batch over all ranks; 256 where nothing says it.
        validate: data of the same kinds, evaluated after each epoch; decides the best epoch.
        metrics: name -> metric(output, target), see `ts.metrics`; taken in training and validation.
        micro_batch: samples a forward pass; the step is that of the whole batch.
        accumulate: batches an update.
        clip_norm: the largest 2-norm of the final gradient.
        schedule: schedulers of torch, stepped once an update; `ts.per_epoch(scheduler)` steps them once an epoch.
        seed: order and random draws of epoch e are functions of (seed, e); the caller's random state is untouched.
        run_dir: a folder for the record of the run and its best weights.
        checkpoint: a folder for the whole state of the run, or `ts.Checkpoints(folder, every=...)`; SIGINT and SIGTERM
            then finish the step, save, and end the run.
        resume: go on from the newest sound checkpoint there, to the bits of a run that was never interrupted; where
            there is none, begin.
        compile: "auto" takes steps as programs where the run is long enough to repay it, on the same bits, and a run
            that is much longer compiles them beside itself, which rounds the last digits otherwise from then on;
            "exact" never does that; True compiles at once, to rounding and the same each time; False does neither.
        progress: whether to show progress, in a notebook with the extra `notebook` as a live picture, else on stderr,
            as "lines" does everywhere; sentences that must not be missed are written there anyway.
        observers: callables that see each event of the run (`ts.events`); they cannot change it.
        tail: what becomes of an incomplete last window of `accumulate` batches: "step" takes it at its true count,
            "carry" keeps it for the next epoch, "drop" leaves it out.
        patience: stop after this many epochs without a better validation loss.
        nonfinite: "stop" ends the run in good order before the weights move, "raise" raises, "skip" goes on.
        amp: autocast of the forward pass, as in `TrainStep`.
        params: the tensors to train where the model is a plain function.
        shuffle: whether batches are drawn in a new order each epoch; a loader keeps its own.

    Raises:
        ConfigError, DataError, CountError, CheckpointError, NonFiniteError: each with what, where and how to mend it.
    """
    refuse_other(compile)
    refuse_odd(progress, observers)
    saver = Saver(checkpoint, resume)
    plan = Plan(epochs, seed, batch_size, shuffle, accumulate, tail, patience)
    step = TrainStep(
        *(model, objective, optimizer, micro_batch, clip_norm, schedule, amp),
        nonfinite=nonfinite,
        params=params,
        metrics=as_metrics(metrics),
    )
    return Loop(step, train, validate, plan, saver, compile).run(observers, progress, run_dir)
