"""`truestep explain`: one update of any script, of a recipe, or of a run, and what moved the weights in it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import truestep as ts
from truestep.cli import CLEAN, FAILED, train
from truestep.cli.ledgers import facts, show
from truestep.cli.options import whole
from truestep.cli.processes import own
from truestep.cli.script import Program, cut, start
from truestep.cli.show import say, show_json
from truestep.explain.loop.watch import Look, LoopWatch
from truestep.store.rundb import read_run
from truestep.store.runs import DATABASE

TAKES = {"--step": 1, "--json": 0, "--html": 1, "--figure": 1, "-h": 0, "--help": 0}
EPILOG = """examples:
  truestep explain train.py --step 10 --epochs 3     what follows our options is the script's own
  truestep explain train.py --step 10 -- --json      so is everything behind --
  truestep explain --step 10 -m package.train        a module, as python -m finds it
  truestep explain lenet5 --step 10 --form classic   a recipe, with its options
  truestep explain runs/lenet5-20261126-101010       a run that truestep train made: its recipe again, as it was

The script runs as it is, with its own arguments, and is stopped after that update."""


def add_to(commands: Any) -> None:
    """Add this command to the parser."""
    words = {"help": "what moved the weights in one update of any script", "epilog": EPILOG}
    parser = commands.add_parser("explain", description="Explain one update of a script, a recipe or a run.", **words)
    parser.usage = "truestep explain SCRIPT_OR_RUN_OR_RECIPE [--step N] [options] [arguments of the script]"
    parser.add_argument("--step", metavar="N", type=whole(1), default=1, help="which update, from 1 (default: 1)")
    parser.add_argument("--html", metavar="FILE", help="write the ledger as one page that needs nothing else")
    parser.add_argument("--figure", metavar="DIR", help="save the figure of the shares in a folder, as PNG and SVG")
    parser.add_argument("--json", action="store_true", help="print one JSON object, after what the script prints")
    parser.set_defaults(parser=parser)


def cut_off(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words that are ours, and those of the program that `explain` or `prove` starts."""
    if words[:1] not in (["explain"], ["prove"]):
        return list(words), []
    return cut(words, TAKES, lambda name: not Path(name).is_file())


def run(found: argparse.Namespace) -> int:
    """Explain the update that was asked for."""
    if not found.program:
        raise ts.ConfigError("name a script, a recipe or a run, as in truestep explain train.py --step 10.")
    name, *args = found.program
    name = _recipe_of(Path(name), args) if (Path(name) / DATABASE).is_file() else name
    if name in ts.recipes.names():
        ledger = of_recipe([name, *args], found.step, ts.explain)
    else:
        program = Program(args[0], tuple(args[1:]), True) if name == "-m" else Program(name, tuple(args))
        watch = LoopWatch(found.step)
        with watch:
            _known(program)
            status = start(program)
        if watch.found is None and status:
            say(f"{program} left with status {status} after {_counted(watch.updates)}: update {found.step} never came.")
            return FAILED
        ledger = watch.found or _missed(str(program), watch)
    return _told(found, ledger if ledger.step else replace(ledger, step=f"update {found.step}"))


def of_recipe(words: Sequence[str], number: int, look: Look) -> Any:
    """Train a recipe up to an update, and what `look` makes of that one.

    Raises:
        ConfigError: where the recipe takes fewer updates, and for options that it does not have.
    """
    found = train.read(words)
    place = own(getattr(found, "device", torch.device("cpu")))
    torch.set_num_threads(found.threads)
    options, settings = train.prepared(found, 0, place)
    watch = LoopWatch(number, look)
    try:
        with watch:
            found.module.train(**options, **settings, progress=False)
    except SystemExit:  # what was looked for is found
        pass
    return watch.found or _missed(found.recipe, watch)


def _told(found: argparse.Namespace, ledger: ts.Ledger) -> int:
    page = None if found.html is None else ledger.to_html(found.html)
    figures = [] if found.figure is None else ts.plot.save(ledger.plot(), Path(found.figure), "ledger")
    if found.json:
        asked = {"program": " ".join(found.program), "step": found.step}
        show_json({**asked, **facts(ledger), "html": page, "figures": figures})
        return CLEAN
    show(ledger)
    for path in [*([] if page is None else [page]), *figures]:
        print(f"{'page' if path == page else 'figure':<14} {path}")
    return CLEAN


def _known(program: Program) -> None:
    """Refuse a name that is neither a script nor a recipe, with the nearest recipe."""
    if not program.module and not Path(program.name).exists() and Path(program.name).suffix != ".py":
        ts.recipes.choose("script, run or recipe", program.name, ts.recipes.names())


def _recipe_of(folder: Path, args: list[str]) -> str:
    """The recipe of a run, its options put in front of `args`."""
    config = read_run(folder / DATABASE).config
    recipe = config.get("recipe")
    if recipe not in ts.recipes.names():
        raise ts.ConfigError(
            f"{folder} holds a run that truestep train did not start: give the script that made it instead."
        )
    known = train.read([recipe])
    asked = {name: config.get(name) for name in [*known.options, *known.settings]}
    if "data" in asked:
        asked |= {"data": config.get("source"), "device": config.get("device")}
    words = {f"--{name.replace('_', '-')}": str(value) for name, value in asked.items() if value is not None}
    args[:0] = [each.removeprefix("torch.") for pair in words.items() for each in pair]
    return recipe


def _missed(name: str, watch: LoopWatch) -> Any:
    if watch.updates:
        raise ts.ConfigError(f"{name} took only {_counted(watch.updates)}: give --step {watch.updates} or less.")
    if watch.backwards:
        raise ts.ConfigError(
            f"{name} went backward {watch.backwards} times and no optimizer of torch took a step: it moves its weights "
            "by hand, which nobody can see from outside. Give that update to ts.TrainStep, as updater(batch_size)."
        )
    raise ts.ConfigError(f"{name} trained nothing: it ended before any optimizer took a step.")


def _counted(updates: int) -> str:
    return f"{updates} update{'' if updates == 1 else 's'}"
