"""`sweep`: train every variant of a study at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import TensorDataset

from truestep.core.batch import Batch, change, size, to_device
from truestep.core.errors import ConfigError, DataError
from truestep.core.objective import as_objective
from truestep.data.arrays import as_tensor
from truestep.fit.evaluate import refuse_same_names
from truestep.fit.metrics import as_metrics
from truestep.sweep import grid as grids
from truestep.sweep.found import Schedule
from truestep.sweep.settings import Maker, check

if TYPE_CHECKING:
    from truestep.sweep.study import Study


def sweep(
    make_model: Callable[..., Any],
    train: Any,
    objective: Any,
    optimizer: Callable[..., Any],
    grid: Any = None,
    fixed: Mapping[str, Any] | None = None,
    seeds: Any = None,
    epochs: int = 10,
    batch_size: int = 256,
    validate: Any = None,
    metrics: Any = None,
    compile: Any = "auto",
    *,
    share: Any = (),
    trials: int | None = None,
    evaluate_every: int = 0,
    chunk: int | None = None,
    stack: Any = "auto",
    run_dir: str | Path | None = None,
    device: Any = "cpu",
    progress: bool = True,
    executor: str | None = None,
) -> Study:
    """Train all variants of a study at once, as one tensor program; each equals its own run.

    Variant i has the weights that `torch.manual_seed(seed); model = make_model()` and then
    `ts.fit(model, train, objective, optimizer(model.parameters(), ...), ..., seed=seed)` ends in, to float tolerance.
    Random draws inside the model, as of dropout, are each variant's own, and not those of that run.

    Args:
        make_model: returns a new module; it may take settings of the grid by name, and the seed.
        train: `(inputs, targets)` tensors or arrays.
        objective: an `Objective` or a loss.
        optimizer: a class of `torch.optim`, or a function `(model, **settings)` that makes the groups of one.
        grid: name -> values, crossed; or a list of settings. A name is an option of the optimizer, a parameter of
            `make_model`, `batch_size`, `clip_norm`, or a term of the objective, whose weight it then is. Values may be
            drawn: `ts.uniform`, `ts.loguniform`, `ts.choice` with `trials`. In a list, `seed` may be a setting.
        fixed: settings that all variants have.
        seeds: how many seeds (0, 1, ...) each point of the grid is trained with, or which ones.
        epochs: how often to go over the data.
        batch_size: samples an update.
        validate: data of the same kind; evaluated after the last epoch, or every `evaluate_every` epochs.
        metrics: name -> metric(output, target), see `ts.metrics`.
        compile: "auto" compiles where the study is long enough to repay it; True, False.
        share: "weights" and "order" are then those of the first seed in every variant.
        trials: how many points are drawn.
        evaluate_every: epochs from one evaluation to the next, for curves and the best epoch; 0 is the last alone.
        chunk: variants that stand side by side; None takes as many as fit into the memory, small ones into the cache.
        stack: "auto" trains variants one after another, by `fit`, where stacking them does not pay, as with large
            products and images, and `study.planned` says so; True, False.
        run_dir: a folder for the results; a study that was interrupted goes on from there.
        device: where the variants are trained.
        progress: whether to show progress on stderr.
        executor: "ray" spreads the chunks over a Ray cluster (extra `cluster`), two or more for each processor of it.

    Raises:
        ConfigError, DataError: each with what, where and how to mend it.

    >>> x, y = torch.randn(20, 3), torch.randn(20, 1)
    >>> study = sweep(
    ...     lambda: torch.nn.Linear(3, 1),
    ...     (x, y),
    ...     torch.nn.MSELoss(),
    ...     torch.optim.SGD,
    ...     grid={"lr": [0.1, 0.01]},
    ...     seeds=3,
    ...     epochs=2,
    ...     batch_size=5,
    ...     progress=False,
    ... )
    >>> len(study.table), study.table.columns
    (6, ['lr', 'seed', 'train_loss'])
    """
    numbers = {"epochs": epochs, "batch_size": batch_size, "evaluate_every": evaluate_every}
    _check(make_model, optimizer, {"compile": compile, "stack": stack}, numbers)
    maker = Maker(make_model, optimizer, as_objective(objective))
    refuse_same_names(maker.objective, measured := as_metrics(metrics))
    variants = grids.variants(grid, fixed, seeds, share, trials)
    check(maker, variants)
    if executor not in (None, "ray"):
        raise ConfigError(f"executor knows None and 'ray', and {executor!r} is neither.")
    place = _device(device)
    data, valid = _tensors("train", train, place), None if validate is None else _tensors("validate", validate, place)
    plan = Schedule(epochs, batch_size, evaluate_every)
    # Stacking loads torch's function transforms, which take longer to load than all of the library.
    from truestep.sweep.conduct import Conductor, Request

    request = Request(maker, variants, data, valid, measured, plan, compile, chunk, place, executor, stack)
    return Conductor(request, run_dir, progress).run()


def _check(make_model: Any, optimizer: Any, choices: Mapping[str, Any], numbers: Mapping[str, Any]) -> None:
    for name, number in numbers.items():
        least = 0 if name == "evaluate_every" else 1
        if type(number) is not int or number < least:
            raise ConfigError(f"{name} is a whole number of at least {least}, and not {number!r}.")
    for name, choice in choices.items():
        if choice not in ("auto", True, False):
            raise ConfigError(f"{name} knows 'auto', True and False, and {choice!r} is none of them.")
    if not callable(optimizer) or isinstance(optimizer, torch.optim.Optimizer):
        raise ConfigError(
            f"optimizer is a class, and every variant makes one of its own: torch.optim.SGD with grid={{'lr': [...]}}, "
            f"or a function (model, **settings), and not {type(optimizer).__name__}."
        )
    if not callable(make_model) or isinstance(make_model, torch.nn.Module):
        raise ConfigError(
            "make_model is a function that returns a new model: ts.sweep(lambda: nn.Linear(200, 1), ...)."
        )


def _device(given: Any) -> torch.device:
    try:
        place = torch.device(given)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = (str(error).splitlines() or ["unknown"])[0].rstrip(".")
        raise ConfigError(
            f"there is no device {given!r} here ({reason}): leave device out to sweep on the cpu."
        ) from error
    return place


def _tensors(name: str, data: Any, device: torch.device) -> Batch:
    """In-memory data on a device.

    Raises:
        DataError: for anything else, since all variants go over the data in orders of their own.
    """
    if type(data) is TensorDataset and len(data.tensors) == 2:
        data = data.tensors
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise DataError(
            f"{name} must be (inputs, targets) in memory, and not {type(data).__name__}: every variant goes over it in "
            "its own order. Collect a data set once, torch.stack([x for x, _ in dataset])."
        )
    whole = to_device((change(data[0], as_tensor), change(data[1], as_tensor)), device)
    if not size(*whole):
        raise DataError(f"{name} is empty: there are no samples to go over.")
    return whole
