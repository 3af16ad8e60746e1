"""`truestep train`: a recipe, from data to a trained network, its figures and its run folder."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

import truestep as ts
from truestep.cli import CLEAN, FAILED, Interrupted
from truestep.cli.figures import predicted, save_figures
from truestep.cli.folders import begun, claim, give_back
from truestep.cli.options import Parser, add_options, device, one_of, whole
from truestep.cli.processes import first_alone, own, together
from truestep.cli.report import facts, report
from truestep.cli.show import say, show_json, show_table

ALONE = ("-h", "--help", "--list", "--json")  # what train takes without a recipe
SETTINGS = ("micro_batch", "accumulate", "clip_norm", "amp")
EPILOG = """under torchrun the processes share each batch, and take the steps that one would:
  torchrun --nproc-per-node 2 -m truestep train {}"""


def canonical(words: Sequence[str]) -> list[str]:
    """The command line with the recipe's name as it is listed, for the commands that take one.

    Raises:
        ConfigError: where there is no such recipe.
    """
    if words[:1] not in (["train"], ["sweep"]) or len(words) < 2 or words[1] in ALONE:
        return list(words)
    if words[1].startswith("-"):
        raise ts.ConfigError(f"the recipe comes first, and then its options: truestep {words[0]} lenet5 {words[1]} ...")
    ts.recipes.load(words[1])
    return [words[0], words[1].replace("_", "-"), *words[2:]]


def add_to(commands: Any) -> None:
    """Add this command and, under it, every recipe with the options of its own `train`."""
    parser = commands.add_parser("train", help="train a recipe", description="Train a recipe and show what came of it.")
    parser.add_argument("--list", action="store_true", help="list the recipes and their forms")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(parser=parser)
    recipes = parser.add_subparsers(dest="recipe", metavar="RECIPE", title="recipes")
    for name in ts.recipes.names():
        recipe = ts.recipes.load(name)
        words = {"help": title_of(recipe), "description": title_of(recipe), "epilog": EPILOG.format(name)}
        _add_recipe(recipes.add_parser(name, **words), recipe)


def _add_recipe(parser: Parser, recipe: ModuleType) -> None:
    group = parser.add_argument_group("the recipe")
    options = add_options(group, recipe.train, form=one_of(*recipe.FORMS))
    if "data" in options:
        group.add_argument("--fetch", action="store_true", help="fetch the data where they are missing")
        group.add_argument("--device", type=device(), default="cpu", metavar="WORD", help="cpu (the default) or cuda")
    settings = add_options(parser.add_argument_group("the step"), ts.fit, SETTINGS, amp=one_of("bfloat16", "float16"))
    run = parser.add_argument_group("the run")
    where = run.add_mutually_exclusive_group()
    where.add_argument("--run-dir", metavar="DIR", help="the folder of this run (default: a new one)")
    where.add_argument("--runs", metavar="DIR", help="where run folders are made (default: $TRUESTEP_RUNS, or runs)")
    run.add_argument("--checkpoint", metavar="DIR", help="keep the whole state of the run in DIR; signals save it too")
    run.add_argument("--resume", action="store_true", help="go on from the newest sound checkpoint in DIR")
    run.add_argument("--threads", metavar="N", type=whole(1), default=1, help="threads of the CPU (default: 1)")
    run.add_argument("--no-figure", action="store_true", help="save no figures")
    run.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON object")
    parser.set_defaults(parser=parser, module=recipe, options=options, settings=settings)


def run(found: argparse.Namespace) -> int:
    """Train the recipe that was asked for, or list them."""
    if found.recipe is None and not found.list:
        raise ts.ConfigError("name a recipe, as in truestep train lenet5; truestep train --list shows them.")
    if found.recipe is None:
        return _list(found.json)
    # Networks this small lose more to threads that wait for one another than they gain, fivefold on a busy machine.
    torch.set_num_threads(found.threads)
    place = own(getattr(found, "device", torch.device("cpu")))
    with together(place) as rank:
        return _train(found, rank, place)


def read(words: Sequence[str]) -> argparse.Namespace:
    """A recipe and its options, as `truestep train` reads these words: other commands start recipes too."""
    parser = Parser(prog="truestep")
    add_to(parser.add_subparsers())
    return parser.parse(canonical(["train", *words]))


def prepared(found: argparse.Namespace, rank: int, place: torch.device) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the recipe's own `train` is called with, its data loaded: options of the recipe, and settings of `fit`."""
    options = {name: getattr(found, name) for name in found.options}
    if "data" in options:
        options["data"] = load_split(found, rank, place)
    return options, {name: getattr(found, name) for name in found.settings}


def _train(found: argparse.Namespace, rank: int, place: torch.device) -> int:
    options, settings = prepared(found, rank, place)
    asked = {"recipe": found.recipe, **options, **settings, "device": str(place)}
    split = options.get("data")
    if isinstance(split, ts.data.Split):
        asked |= {"data": split.name, "source": found.data}
    saved = _saved(found)
    if rank:
        return _status(found.module.train(**options, **settings, **saved, progress=False))
    notes = [split.note] if split is not None and split.note else []
    for note in notes:
        say(f"note: {note}.")
    folder = begun(found.checkpoint, found.run_dir, found.runs) if found.resume else None
    folder = folder or claim(found.run_dir, found.runs, found.recipe, asked)
    try:
        run = found.module.train(**options, **settings, **saved, run_dir=folder)
    except KeyboardInterrupt:
        again = "" if found.checkpoint is None else "; the same command with --resume goes on"
        raise Interrupted(f"interrupted; what was recorded until then is in {folder}{again}.") from None
    except ts.TruestepError:
        give_back(folder)
        raise
    figures = [] if found.no_figure else _figures(found, options, run, folder, split)
    learned = found.module.learned(run) if run.history and hasattr(found.module, "learned") else ""
    if found.json:
        show_json(facts(run, asked, learned, figures, notes))
    else:
        report(run, learned, figures)
    return _status(run)


def _saved(found: argparse.Namespace) -> dict[str, Any]:
    if found.checkpoint is None:
        if found.resume:
            raise ts.ConfigError("--resume goes on from a folder of checkpoints: add --checkpoint DIR.")
        return {}
    return {"checkpoint": found.checkpoint, "resume": found.resume}


def load_split(found: argparse.Namespace, rank: int, place: torch.device, size: int = 28) -> ts.data.Split:
    """The data set, on the device where its model will be."""

    def load() -> ts.data.Split:
        return ts.data.load(found.data, size, fetch=found.fetch)

    try:
        split = first_alone(load, rank) if found.fetch else load()
    except ts.DataError as error:
        hint = "" if found.fetch or found.data not in ("mnist", "fashion-mnist") else " (here: add --fetch)"
        raise ts.DataError(f"{error}{hint}.") from None
    train, test = ((inputs.to(place), targets.to(place)) for inputs, targets in split)
    return replace(split, train=train, test=test)


def _figures(
    found: argparse.Namespace, options: dict[str, Any], run: ts.Run, folder: Path, split: ts.data.Split | None
) -> list[Path]:
    """The figures, or a sentence why there are none: a network that is trained is not lost for a picture."""
    if not run.history:
        return []
    title = ", ".join([found.recipe, found.form, *([] if split is None else [split.name])])
    shown = None
    if split is not None and run.best is not None and hasattr(found.module, "model"):
        known = inspect.signature(found.module.model).parameters
        shown = predicted(found.module, {name: options[name] for name in options if name in known}, run, split)
    try:
        return save_figures(run, title, folder, shown)
    except ts.TruestepError as error:
        say(f"no figure: {error}")
        return []


def _list(as_json: bool) -> int:
    recipes = [(name, ts.recipes.load(name)) for name in ts.recipes.names()]
    if as_json:
        show_json({"recipes": [{"name": n, "forms": r.FORMS, "title": title_of(r)} for n, r in recipes]})
    else:
        heads = ("recipe", "forms", "what")
        show_table(heads, [(n, ", ".join(r.FORMS), title_of(r)) for n, r in recipes], words=heads)
    return CLEAN


def _status(run: ts.Run) -> int:
    """A run that stopped by itself did not do what was asked; its reason is on stderr already."""
    return FAILED if run.stopped else CLEAN


def title_of(recipe: ModuleType) -> str:
    """The first line of what a recipe says of itself."""
    return (recipe.__doc__ or "").partition("\n")[0].rstrip(".")
