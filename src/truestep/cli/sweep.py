"""`truestep sweep`: a recipe trained many times at once, its curve, its figure and its folder."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

import truestep as ts
from truestep.cli import CLEAN, Interrupted
from truestep.cli.options import Kind, Parser, add_options, device, one_of, whole
from truestep.cli.show import say, show_json
from truestep.cli.specs import FORMS, fixed_of, grid_of
from truestep.cli.studied import facts, report
from truestep.cli.train import load_split, title_of
from truestep.store.atomic import make_folder
from truestep.store.runs import STUDY, new_run_folder

EPILOG = f"""a grid is one of {FORMS}:
0:101 are the whole numbers from 0 to 100; log16 are 16 numbers from the first to the second, evenly on a log axis.
a name is an option of the optimizer, a setting of the network, batch_size or clip_norm.

examples:
  truestep sweep weight-decay
  truestep sweep lenet5 --grid lr=0.001:1:log16
  truestep sweep mlp --grid lr=0.01:1:log5 --grid hidden=16,64,256 --seeds 5
  truestep sweep softmax --grid "lr=loguniform(1e-3,10)" --grid "batch_size=32,256" --trials 20"""
COMPILE = {"auto": "auto", "yes": True, "no": False}


def add_to(commands: Any) -> None:
    """Add this command and, under it, every recipe with the options of its own `study`."""
    words = {"help": "train a recipe many times at once", "description": "Train many variants of a recipe at once."}
    parser = commands.add_parser("sweep", epilog=EPILOG, **words)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(parser=parser)
    recipes = parser.add_subparsers(dest="recipe", metavar="RECIPE", title="recipes")
    for name in ts.recipes.names():
        recipe = ts.recipes.load(name)
        about = (recipe.study.__doc__ or "").partition("\n")[0]
        _add_recipe(recipes.add_parser(name, help=title_of(recipe), description=about, epilog=EPILOG), recipe)


def _add_recipe(parser: Parser, recipe: ModuleType) -> None:
    group = parser.add_argument_group("the recipe")
    options = add_options(group, recipe.study, form=one_of(*recipe.FORMS))
    if "data" in options:
        group.add_argument("--fetch", action="store_true", help="fetch the data where they are missing")
    study = parser.add_argument_group("the study")
    many: dict[str, Any] = {"action": "append", "default": [], "metavar": "NAME=..."}
    study.add_argument("--grid", **many, help="what to vary; several grids are crossed (default: the recipe's)")
    study.add_argument("--fixed", **many, help="a setting of all variants")
    for option, words in (
        ("seeds", "how many starts and orders of each point"),
        ("trials", "how many points are drawn, where a grid draws"),
        ("epochs", "how often to go over the data"),
        ("batch-size", "samples an update"),
        ("evaluate-every", "epochs from one evaluation to the next"),
        ("chunk", "variants that stand side by side; by default as many as fit"),
    ):
        study.add_argument(f"--{option}", metavar="N", type=whole(1), help=words)
    study.add_argument("--share", metavar="WHAT", type=_shared(), help="weights, order or both: one for all variants")
    study.add_argument("--compile", type=one_of(*COMPILE), default="auto", help="auto (the default), yes or no")
    study.add_argument("--device", type=device(), default="cpu", metavar="WORD", help="cpu (the default) or cuda")
    run = parser.add_argument_group("the run")
    where = run.add_mutually_exclusive_group()
    where.add_argument("--run-dir", metavar="DIR", help="the folder of this study; one that was interrupted goes on")
    where.add_argument("--runs", metavar="DIR", help="where folders are made (default: $TRUESTEP_RUNS, or runs)")
    run.add_argument("--threads", metavar="N", type=whole(1), default=1, help="threads of the CPU (default: 1)")
    run.add_argument("--no-figure", action="store_true", help="save no figure")
    run.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON object")
    parser.set_defaults(parser=parser, module=recipe, options=options)


def _shared() -> Kind:
    def parse(text: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in text.split(","))

    return Kind("WHAT", parse)


def run(found: argparse.Namespace) -> int:
    """Train the study that was asked for."""
    if found.recipe is None:
        raise ts.ConfigError(
            f"name a recipe, as in truestep sweep weight-decay; it is one of {', '.join(ts.recipes.names())}."
        )
    torch.set_num_threads(found.threads)
    asked = _asked(found)
    folder, made = _folder(found)
    try:
        study = ts.sweep(**asked, run_dir=folder)
    except KeyboardInterrupt:
        again = f"the same command with --run-dir {folder} goes on from there"
        raise Interrupted(f"interrupted; the chunks that had ended are in {folder}, and {again}.") from None
    except ts.TruestepError:
        if made:
            _give_back(folder)
        raise
    saved = _save(study, folder, found)
    told = {"recipe": found.recipe, "fixed": asked["fixed"], "epochs": study.plan.epochs, "folder": folder}
    if found.json:
        show_json({**told, **facts(study), "files": saved})
    else:
        report(study, [("folder", folder), *((path.suffix[1:], path) for path in saved)])
    return CLEAN


def _asked(found: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `ts.sweep`: the recipe's, and over them those of the command line."""
    options = {name: getattr(found, name) for name in found.options}
    grid, fixed = grid_of(found.grid), fixed_of(found.fixed)
    if "data" in options:
        options["data"] = load_split(found, 0, torch.device("cpu"), options.get("size", 28))
        if options["data"].note:
            say(f"note: {options['data'].note}.")
    study = found.module.study(**options)
    known = _settings(study)
    for name in (*grid, *fixed):
        ts.recipes.choose("setting", name, known)
    study["grid"] = grid or {name: values for name, values in study["grid"].items() if name not in fixed}
    if not study["grid"]:
        raise ts.ConfigError("every setting is fixed, and nothing is left to vary: add --grid NAME=... .")
    names = ("seeds", "epochs", "batch_size", "evaluate_every", "trials", "share", "chunk")
    given = {name: value for name in names if (value := getattr(found, name)) is not None}
    return {**study, **given, "fixed": fixed, "compile": COMPILE[found.compile], "device": found.device}


def _settings(study: Mapping[str, Any]) -> list[str]:
    """What can be varied in a recipe: what its optimizer and its network take, and what `ts.sweep` knows itself."""
    takes = [name for key in ("optimizer", "make_model") for name in inspect.signature(study[key]).parameters]
    return [*(name for name in takes if name not in ("model", "seed")), "batch_size", "clip_norm"]


def _folder(found: argparse.Namespace) -> tuple[Path, bool]:
    """The folder of the study, and whether it was made for it."""
    if found.run_dir is None:
        return new_run_folder(found.runs and Path(found.runs).expanduser(), f"{found.recipe}-sweep"), True
    folder = Path(found.run_dir).expanduser()
    return folder, make_folder(folder)


def _give_back(folder: Path) -> None:
    """Remove the folder of a study that never began."""
    if not any(path.name != STUDY for path in folder.iterdir()):
        (folder / STUDY).unlink(missing_ok=True)
        folder.rmdir()


def _save(study: ts.Study, folder: Path, found: argparse.Namespace) -> list[Path]:
    """Everything that shows the study; without matplotlib all but the figure, and a sentence."""
    title = f"{found.recipe}: {len(study.variants):,} variants"
    if not found.no_figure:
        try:
            return study.save(folder, title)
        except ts.ConfigError as error:
            say(f"no figure: {error}")
    return study.save(folder, title, figure=False)
