"""`tune`: Optuna proposes settings, a whole batch at once, and each batch is trained as one study."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from truestep.core.errors import ConfigError
from truestep.sweep.draws import Draw
from truestep.sweep.study import Study
from truestep.sweep.sweep import sweep


def tune(
    make_model: Callable[..., Any],
    train: Any,
    objective: Any,
    optimizer: Callable[..., Any],
    space: Mapping[str, Draw],
    study: Any = None,
    trials: int = 64,
    batch: int = 32,
    figure: str | None = None,
    **options: Any,
) -> tuple[Any, list[Study]]:
    """`(the Optuna study, a ts.Study of each batch)`: ask for a batch of trials, train them at once, tell them all.

    Args:
        make_model: returns a new module, as in `sweep`.
        train: `(inputs, targets)`.
        objective: an `Objective` or a loss.
        optimizer: a class of `torch.optim`, or a function `(model, **settings)`.
        space: name -> `ts.uniform`, `ts.loguniform` or `ts.choice`.
        study: an `optuna.Study`, whose sampler then proposes; None makes one, of TPE with seed 0 and batches in mind.
        trials: how many settings are tried.
        batch: how many are asked for before any of them is told; they are trained side by side.
        figure: the column that is told; None is `valid_loss`, without validation `train_loss`. With several seeds it is
            the mean over them. A trial that diverged is told as failed.
        **options: those of `sweep`, such as `validate`, `epochs`, `seeds`, `fixed`.

    Raises:
        ConfigError: where Optuna is not installed, and for a space, numbers or a study that cannot mean anything.
    """
    optuna = _optuna()
    _check(space, trials, batch, options)
    distributions = {name: _distribution(optuna, draw) for name, draw in space.items()}
    figure = figure or ("train_loss" if options.get("validate") is None else "valid_loss")
    study = study or optuna.create_study(
        direction="maximize" if "accuracy" in figure else "minimize",
        sampler=optuna.samplers.TPESampler(seed=0, constant_liar=True),
    )
    if len(study.directions) != 1:
        raise ConfigError("tune tells one figure a trial, and the Optuna study has several directions.")
    found = []
    for begun in range(0, trials, batch):
        asked = [study.ask(distributions) for _ in range(min(batch, trials - begun))]
        try:
            swept = sweep(make_model, train, objective, optimizer, [trial.params for trial in asked], **options)
            told = _figures(swept, figure, len(asked))
        except BaseException:
            for trial in asked:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            raise
        for trial, value in zip(asked, told, strict=True):
            good = math.isfinite(value)
            study.tell(trial, value if good else None, None if good else optuna.trial.TrialState.FAIL)
        found.append(swept)
    return study, found


def _figures(swept: Study, figure: str, trials: int) -> list[float]:
    """The figure of each trial: the mean over its seeds, which stand side by side in the table."""
    column = swept.table[figure]
    seeds = len(column) // trials
    return [math.fsum(column[at : at + seeds]) / seeds for at in range(0, len(column), seeds)]


def _distribution(optuna: Any, draw: Draw) -> Any:
    kinds = optuna.distributions
    if draw.options:
        return kinds.CategoricalDistribution(draw.options)
    return kinds.FloatDistribution(draw.low, draw.high, log=draw.log)


def _check(space: Mapping[str, Draw], trials: int, batch: int, options: Mapping[str, Any]) -> None:
    if not space or not all(isinstance(draw, Draw) for draw in space.values()):
        raise ConfigError(
            "space is name -> ts.uniform, ts.loguniform or ts.choice, as in space={'lr': ts.loguniform(1e-4, 1)}; what "
            "is constant goes into fixed."
        )
    for name, number in (("trials", trials), ("batch", batch)):
        if type(number) is not int or number < 1:
            raise ConfigError(f"{name} is a whole number of at least 1, and not {number!r}.")
    for name in ("grid", "run_dir"):
        if name in options:
            raise ConfigError(f"tune has no {name}: what Optuna proposes is kept in its own storage.")


def _optuna() -> Any:
    try:
        import optuna  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ConfigError("ts.tune needs Optuna: pip install 'truestep[tune]'.") from error
    return optuna
