"""What each setting of a variant is for: the model, the batch, clipping, the weight of a loss, or the optimizer."""

from __future__ import annotations

import difflib
import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from truestep.core.errors import ConfigError, TruestepError
from truestep.core.objective import Objective
from truestep.sweep.grid import Variant

OWN = ("batch_size", "clip_norm")


@dataclass(frozen=True)
class Maker:
    """How a variant is made: its model, its optimizer, what it minimises.

    Args:
        model: `make_model(**settings that it takes)`; a parameter called seed is given the seed of the weights.
        optimizer: a class of `torch.optim`, or a function `(model, **settings) -> optimizer` that makes groups.
        objective: what is minimised; a setting named after one of its terms is the weight of that term.
    """

    model: Callable[..., nn.Module]
    optimizer: Callable[..., Optimizer]
    objective: Objective

    def of_model(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The settings that the model takes."""
        known = _parameters(self.model)
        return {name: value for name, value in settings.items() if name in known and name != "seed"}

    def of_optimizer(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The settings that are left for the optimizer."""
        others = {*self.of_model(settings), *OWN, *self.weights(settings)}
        return {name: value for name, value in settings.items() if name not in others}

    def weights(self, settings: Mapping[str, Any]) -> dict[str, float]:
        """The weights of the terms that are set here."""
        return {name: float(value) for name, value in settings.items() if name in self.objective.terms}

    def make(self, variant: Variant) -> nn.Module:
        """The untrained model of a variant; the caller's random state comes back as it was.

        Raises:
            ConfigError: where something else than a module is made.
        """
        settings = self.of_model(variant.settings)
        if "seed" in _parameters(self.model):
            settings["seed"] = variant.weights
        with torch.random.fork_rng():
            # torch.manual_seed notes where it was called from, once for each kind of device that is not there.
            (torch if torch.accelerator.is_available() else torch.default_generator).manual_seed(variant.weights)
            try:
                made = self.model(**settings)
            except TruestepError:
                raise
            except (TypeError, ValueError, RuntimeError) as error:
                if not settings:
                    raise
                reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
                raise ConfigError(f"make_model({_listed(settings)}) failed: {reason}.") from error
        if not isinstance(made, nn.Module):
            raise ConfigError(
                f"make_model must return a new nn.Module at each call, and returned {type(made).__name__}: "
                "ts.sweep(lambda: nn.Linear(200, 1), ...)."
            )
        return made

    def make_optimizer(self, model: nn.Module, settings: Mapping[str, Any]) -> Optimizer:
        """The optimizer of a variant, as it would be made for a run of its own.

        Raises:
            ConfigError: for settings that it does not take.
        """
        options = self.of_optimizer(settings)
        trained = [each for each in model.parameters() if each.requires_grad]
        if not trained:
            raise ConfigError(
                f"{type(model).__name__} has no parameter that requires a gradient: there is nothing to train."
            )
        name = name_of(self.optimizer)
        try:
            made = self.optimizer(trained if self.is_class else model, **options)
        except (TypeError, ValueError) as error:
            if strange := self._strange(options):
                raise ConfigError(self._nobody(strange, name)) from error
            raise ConfigError(f"{name} does not take {_listed(options)}: {str(error).rstrip('.')}.") from error
        if not isinstance(made, Optimizer):
            raise ConfigError(
                f"{name} must make a torch.optim optimizer, and made {type(made).__name__}: give a class such as "
                "torch.optim.SGD, or a function (model, **settings) that returns one."
            )
        return made

    @property
    def is_class(self) -> bool:
        """Whether the optimizer is a class of torch, bare or with some settings of its own (`functools.partial`)."""
        return isinstance(_bare(self.optimizer), type)

    def _strange(self, options: Mapping[str, Any]) -> str:
        """The first setting that the optimizer has no parameter for, or ""."""
        known, open_ended = _parameters(_bare(self.optimizer)), _takes_any(_bare(self.optimizer))
        return "" if open_ended else next((name for name in options if name not in known), "")

    def _nobody(self, setting: str, name: str) -> str:
        known = [*_parameters(_bare(self.optimizer)) - {"params", "model"}, *_parameters(self.model), *OWN]
        near = difflib.get_close_matches(setting, [*known, *self.objective.terms], n=1)
        hint = f": did you mean {near[0]}?" if near else ""
        return (
            f"nobody takes the setting {setting}{hint or '.'} A setting is an option of {name}, a parameter of "
            f"make_model, a term of the objective ({', '.join(self.objective.terms)}), or {' or '.join(OWN)}."
        )

    def structure(self, settings: Mapping[str, Any], batch_size: int) -> tuple[Any, ...]:
        """What variants must share to be stacked: the shapes of the model, the batch, whatever is no number."""
        options = self.of_optimizer(settings)
        words = {name: value for name, value in options.items() if not stackable(value)}
        clips = settings.get("clip_norm") is not None
        shape = (self.of_model(settings), batch_size, clips, words, sorted(options))
        return tuple(repr(each) for each in shape)


def check(maker: Maker, variants: Sequence[Variant]) -> None:
    """Refuse what no variant could be made of, before anything is trained.

    Raises:
        ConfigError: naming the setting and what it could be.
    """
    for variant in variants:
        for name, value in variant.settings.items():
            _check_value(name, value)
        for name, value in maker.weights(variant.settings).items():
            if not math.isfinite(value):
                raise ConfigError(f"the weight of the term {name} is {value}: give a finite number.")
        batch, clip = variant.settings.get("batch_size"), variant.settings.get("clip_norm")
        if "batch_size" in variant.settings and (type(batch) is not int or batch < 1):
            raise ConfigError(f"batch_size is a number of samples, at least 1, and not {batch!r}.")
        if clip is not None and (not isinstance(clip, int | float) or not clip > 0):
            raise ConfigError(f"clip_norm is the largest norm of the gradient, above 0, and not {clip!r}.")


def stackable(value: Any) -> bool:
    """Whether different values of a setting can stand side by side in one tensor."""
    if isinstance(value, tuple):
        return bool(value) and all(stackable(each) for each in value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_value(name: str, value: Any) -> None:
    for each in value if isinstance(value, tuple) else (value,):
        if isinstance(each, float) and not math.isfinite(each):
            raise ConfigError(f"{name} is {each}, which is no finite number.")


def _parameters(function: Callable[..., Any]) -> set[str]:
    try:
        known = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return set()
    return {each.name for each in known if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)}


def name_of(function: Callable[..., Any]) -> str:
    """What a function or class is called, also one with some arguments given."""
    bare = _bare(function)
    return getattr(bare, "__name__", type(bare).__name__)


def _bare(function: Callable[..., Any]) -> Callable[..., Any]:
    return _bare(function.func) if isinstance(function, functools.partial) else function


def _takes_any(function: Callable[..., Any]) -> bool:
    try:
        return any(each.kind is each.VAR_KEYWORD for each in inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return True


def _listed(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in options.items()) or "no settings"
