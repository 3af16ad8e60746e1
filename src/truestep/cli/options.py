"""Options of the command line, read from the signatures and docstrings of the functions that they are for."""

from __future__ import annotations

import argparse
import difflib
import inspect
import math
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, get_args

import torch

import truestep as ts


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are sentences, raised as `ConfigError`."""

    def __init__(self, **settings: Any) -> None:
        layout = argparse.RawDescriptionHelpFormatter
        super().__init__(formatter_class=layout, allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Raise the complaint."""
        raise ts.ConfigError(f"{message.removeprefix('argument ')}; see {self.prog} --help.")

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse all words; one that nobody knows is named with the nearest option of its command."""
        found, unknown = self.parse_known_args(words)
        if unknown:
            parser: Parser = getattr(found, "parser", self)
            known = re.findall(r"--[\w-]+", parser.format_usage())
            near = difflib.get_close_matches(unknown[0].partition("=")[0], known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"see {parser.prog} --help."
            raise ts.ConfigError(f"{parser.prog} does not know {unknown[0]}; {hint}")
        return found


def add_options(group: Any, function: Callable[..., Any], names: Collection[str] = (), **kinds: Kind) -> list[str]:
    """Add an option for each parameter that is a number or a word (of `names`, where given); return their names.

    `kinds` are the types of those whose annotation does not tell enough.
    """
    told, added = _told(function), []
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        name = parameter.name
        kind = kinds.get(name) or _kind(parameter)
        if kind is None or (names and name not in names):
            continue
        default = "" if parameter.default is None else f" (default: {parameter.default})"
        words = f"{told.get(name, '')}{default}".replace("%", "%%").replace("`", "")
        option = f"--{name.replace('_', '-')}"
        group.add_argument(option, type=kind, default=parameter.default, metavar=kind.metavar, help=words)
        added.append(name)
    return added


@dataclass(frozen=True)
class Kind:
    """The type of an option: what it is called in the help, and how a word becomes a value."""

    metavar: str
    parse: Callable[[str], Any]

    def __call__(self, text: str) -> Any:
        """The value; argparse turns what is raised into a complaint that names the option."""
        return self.parse(text)


def whole(least: int) -> Kind:
    """A whole number of at least `least`."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"\d{1,18}", text, re.ASCII) or int(text) < least:
            short = "" if len(text) <= 18 else " and at most 18 digits"
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}{short}")
        return int(text)

    return Kind("N", parse)


def number() -> Kind:
    """A finite number of at least 0."""

    def parse(text: str) -> float:
        try:
            found = float(text)
        except ValueError:
            found = math.nan
        if not 0 <= found < math.inf:
            raise argparse.ArgumentTypeError(f"{text!r} is not a finite number of at least 0")
        return found

    return Kind("X", parse)


def one_of(*known: str) -> Kind:
    """One of these words."""

    def parse(text: str) -> str:
        if text in known:
            return text
        near = difflib.get_close_matches(text.lower(), known, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(known)}{hint}")

    return Kind("|".join(known), parse)


def device() -> Kind:
    """A device that this machine has."""

    def parse(text: str) -> torch.device:
        try:
            found = torch.device(text)
        except RuntimeError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a device such as cpu or cuda") from None
        present = torch.accelerator.current_accelerator(check_available=True)
        here = present is not None and present.type == found.type
        if found.type != "cpu" and not (here and (found.index or 0) < torch.accelerator.device_count()):
            raise argparse.ArgumentTypeError(f"this torch finds no {found} here; leave it out to train on the cpu")
        return found

    return Kind("cpu|cuda", parse)


def text() -> Kind:
    """Any word."""
    return Kind("WORD", str)


def _kind(parameter: inspect.Parameter) -> Kind | None:
    types = get_args(parameter.annotation) or (parameter.annotation,)
    if parameter.kind is parameter.VAR_KEYWORD:
        return None
    if float in types:
        return number()
    if int in types:
        return whole(0 if parameter.name == "seed" else 1)
    return text() if str in types else None


def _told(function: Callable[..., Any]) -> dict[str, str]:
    """What the section Args of a docstring says of each parameter, up to the first semicolon."""
    _, _, section = (inspect.getdoc(function) or "").partition("Args:\n")
    entries = re.findall(r"^    (\w+): (.+(?:\n     +.+)*)", section, re.MULTILINE)
    return {name: re.sub(r"\s+", " ", words).partition(";")[0].rstrip(".") for name, words in entries}
