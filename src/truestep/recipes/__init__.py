"""Recipes: small programs from data to a trained network, written as any user of the library would write them.

A recipe is a module with a title (the first line of its docstring), its `FORMS`, and `train(form, data, epochs,
batch_size, lr, seed, ..., **fit)`, which returns a `ts.Run`; `**fit` goes to `ts.fit` as it is. Where they make sense
there are two more functions: `model(form, like, seed, ...)`, the untrained network and its parameters, in the precision
and on the device of the images `like`; and `learned(run)`, what was learned in a sentence. `study(...)` returns the
arguments with which `ts.sweep` trains the recipe many times at once. The command line is made of these alone.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

import truestep as ts

_NAMES = ("linreg", "softmax", "mlp", "lenet5", "weight-decay")


def names() -> tuple[str, ...]:
    """The recipes by name, from the simplest on."""
    return _NAMES


def load(name: str) -> ModuleType:
    """The module of a recipe; a hyphen and an underscore in its name mean the same.

    Raises:
        ConfigError: for an unknown name, with the nearest that exists.
    """
    known = choose("recipe", name.replace("_", "-"), _NAMES)
    return import_module(f"truestep.recipes.{known.replace('-', '_')}")


def choose(what: str, given: str, known: Sequence[str], where: str = "") -> str:
    """`given`, where it is one of `known`; `where` says where a long list of them is to be seen.

    Raises:
        ConfigError: where it is not, with the nearest that is.
    """
    if given in known:
        return given
    near = difflib.get_close_matches(given.lower(), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    listed = where or f"it is one of {', '.join(known)}"
    raise ts.ConfigError(f"there is no {what} {given!r}; {hint}{listed}.")
